"""What every answer says to the browser: load nothing from elsewhere, keep and leak nothing."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No script runs at all, inline or other, and a style comes from our own file only.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "X-Robots-Tag": "noindex, nofollow",
}
_HTTPS_ONLY = ("Strict-Transport-Security", "max-age=31536000")


class SecurityHeaders:
    """Adds the headers to every answer; pages are not stored by anybody on the way."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        headers = {**HEADERS, **(dict([_HTTPS_ONLY]) if https else {})}
        # Encoded once: a status callback is answered a thousand times a second.
        self._encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                headers.extend(self._encoded)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
