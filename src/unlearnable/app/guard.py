"""Who may ask: the browser of whoever started the page, from the page itself, and nobody else.

A page of the web can send requests to this computer, and by a name that it lets point here (DNS rebinding) read the
answers, too. So every request must name this computer as its host, come from no other page, and carry the secret of
this start, as the printed address does once and a cookie from then on.
"""

import hmac

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
OWN, TYPED = "same-origin", "none"  # where a browser says that a request comes from: our page, or the address bar
HEADERS = {
    "content-security-policy": "default-src 'self'; script-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Guard:
    """Refuses what does not come from the page.

    Args:
        app: what answers the others.
        port: of this page.
        token: the secret of this start.
        ticket: another that admits once: the address with which a browser is started can be seen by others.
    """

    def __init__(self, app: ASGIApp, port: int, token: str, ticket: str = "") -> None:
        self.app, self.port, self.token, self.ticket = app, port, token, ticket
        self.cookie = f"unlearnable-{port}"  # a browser keeps one for all ports of a host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":  # there is no other way in: no web socket
            answer = self._answer(Request(scope)) or self.app
            await answer(scope, receive, _with_headers(send))

    def _answer(self, request: Request) -> Response | None:
        """What is said in place of the page; None to who may ask."""
        hosts = {f"{host}:{self.port}" for host in HOSTS}
        host = request.headers.get("host", "")
        if host not in hosts:
            return refusal("it was asked for under another name than this computer's")
        if request.headers.get("origin", f"http://{host}") != f"http://{host}":
            return refusal("another page asked for it")
        if request.headers.get("sec-fetch-site", OWN) not in (OWN, TYPED):
            return refusal("another page asked for it")
        given = request.query_params.get("token")
        if given is not None and request.url.path == "/" and (self._is_token(given) or self._is_ticket(given)):
            home = RedirectResponse("/", status_code=303)
            home.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return home
        if not self._is_token(request.cookies.get(self.cookie, "")):
            return refusal("open the address that <code>unlearnable app</code> printed, with its token")
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _is_ticket(self, given: str) -> bool:
        if not self.ticket or not hmac.compare_digest(given.encode(), self.ticket.encode()):
            return False
        self.ticket = ""
        return True


def refusal(reason: str) -> Response:
    """A page that says why there is nothing to be seen."""
    return HTMLResponse(f"<!doctype html><html lang=en><title>Refused</title><p>Refused: {reason}.", status_code=403)


def _with_headers(send: Send) -> Send:
    """Every answer tells the browser what the page may load, and that nobody else may show or read it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in own]
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return sending
