"""Start the page on this computer alone, and open it in the browser."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn

from unlearnable.app.guard import Guard
from unlearnable.app.routes import routes
from unlearnable.app.session import Session
from unlearnable.keys import default_key_file

HERE = "127.0.0.1"  # no other computer reaches it


def serve(
    port: int = 0,
    *,
    key: Path | None = None,
    weights: str | None = None,
    browser: bool = True,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Show the page until it is interrupted.

    Args:
        port: at which; a free one when 0.
        key: the owner's key file, made on first use; one in the user's own settings when None.
        weights: of the network that hides; those that ship when None.
        browser: open it in the user's browser.
        on_ready: called with the address, which carries the secret of this start.

    Raises:
        OSError: the port is taken.
    """
    session = Session((key or default_key_file()).absolute(), weights)
    try:
        with socket.create_server((HERE, port)) as listening:
            port = listening.getsockname()[1]
            token, ticket = (secrets.token_urlsafe(24) for _ in range(2))
            address = f"http://{HERE}:{port}/?token="
            if on_ready:
                on_ready(address + token)
            if browser:
                threading.Thread(target=webbrowser.open, args=(address + ticket,), daemon=True).start()
            with suppress(KeyboardInterrupt):  # which is how it is closed
                server_of(session, port, token, ticket).run(sockets=[listening])
    finally:
        session.close()


def server_of(session: Session, port: int, token: str, ticket: str = "") -> uvicorn.Server:
    """What answers at a port, to who knows the token, or was the first to show the ticket."""
    config = uvicorn.Config(
        Guard(routes(session), port, token, ticket),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
