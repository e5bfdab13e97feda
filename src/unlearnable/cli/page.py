"""The page for people without a terminal."""

from typing import Annotated

import typer

from unlearnable.cli.console import KeyFile, Weights, errors, say


def page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; a free one when left out.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in your browser.")] = True,
    key: KeyFile = None,
    weights: Weights = None,
) -> None:
    """Open a page in your browser that protects, checks, audits and accuses; nothing leaves this computer.

    Ends with Ctrl-C; what is going on is stopped, and resumes when the same is asked for again.

    Example:
        unlearnable app --no-browser --port 8000
    """
    say("Starting; the first time takes a while …")
    with errors():
        try:
            from unlearnable.app.server import serve
        except ModuleNotFoundError as missing:
            name = str(missing.name).partition(".")[0]
            if name not in ("starlette", "uvicorn"):
                raise
            raise FileNotFoundError(f"expected {name}, found none: pip install 'unlearnable[web]'") from None
        serve(port, key=key, weights=weights, browser=browser, on_ready=_tell)
    say("The page is closed.")


def _tell(address: str) -> None:
    say(f"The page is at {address}")
    say("Only this computer can open it, and only with this address. Ctrl-C closes it.")
