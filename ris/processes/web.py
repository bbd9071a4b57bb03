"""The web server: waitress with few threads, because more of them cost speed."""

import gc
import logging
import signal
from types import FrameType

import waitress

from ris.bootstrap import Ris
from ris.web.app import create_app

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2_000
"""A page that polls keeps its connection open all day."""


def serve(ris: Ris) -> None:
    """Serves until SIGTERM or SIGINT; requests that are being answered end first."""
    web = ris.settings.web
    # Behind a proxy the application reads what the proxy says; otherwise anybody could say it, and it is taken away.
    server = waitress.create_server(
        create_app(ris),
        host=web.host,
        port=web.port,
        threads=web.threads,
        connection_limit=MOST_CONNECTIONS,
        # select() knows no more than 1,024 files.
        asyncore_use_poll=True,
        ident="",
        clear_untrusted_proxy_headers=not web.behind_proxy,
    )
    signal.signal(signal.SIGTERM, _leave)
    # What the start has loaded stays for ever: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    log.info("pages on http://%s:%d", web.host, web.port)
    server.run()
    ris.close()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
