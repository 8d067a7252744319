"""`aftercare web`: the webhooks and the console in one process."""

import typer
import uvicorn

from cli import output
from web.app import create_app, settle
from worker import logs, wiring
from worker.settings import load

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: AFTERCARE_PORT=8000 aftercare web")
def web() -> None:
    """Serve on AFTERCARE_HOST and AFTERCARE_PORT until told to stop.

    Twilio reaches it at PUBLIC_URL, through the TLS proxy before it.
    """
    settings = load()
    logs.configure(settings.log_format)
    services = wiring.connect(settings, application="web", pool_size=16)
    served = create_app(services)
    settle()
    output.say(f"Listening on http://{settings.host}:{settings.port}")
    # Addresses hold message ids and the proxy has a log of its own: no access log here. Forwarded
    # headers are for web.proxies to read: uvicorn would take the scheme from them too, and for a
    # client whatever stands there.
    uvicorn.run(
        served,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=20,
    )
