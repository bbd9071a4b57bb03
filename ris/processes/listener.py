"""The process that takes HL7 messages, until it is told to stop."""

import asyncio
import functools
import gc
import logging
import resource
import signal
from collections.abc import Callable

from ris.bootstrap import Ris
from ris.hl7 import careful
from ris.hl7.intake import Intake
from ris.hl7.listener import Listener
from ris.processes.alone import Alone
from ris.processes.inbox import Inbox
from ris.processes.watched import watched
from ris.program import Program
from ris.settings import Settings

log = logging.getLogger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGINT)
OTHER_FILES = 100
"""What the process may have open beside its connections."""


def run(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; what has been read by then is still applied and answered."""
    _allow_files(settings.mllp.max_connections + OTHER_FILES)
    ris = Ris(settings)
    try:
        this = careful.Run(ris)
        folder = settings.mllp.inbox
        with watched(Inbox(ris, folder) if folder else None):
            make_intake = functools.partial(
                careful.CarefulIntake, after_abnormal_exit=this.after_abnormal_exit, take_alone=Alone(settings)
            )  # fmt: skip
            asyncio.run(_serve(ris, make_intake))
        this.end()
    finally:
        ris.close()
    return 0


def _allow_files(count: int) -> None:
    """Sees to it that so many files can be open at once, where this user may have as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count or soft == resource.RLIM_INFINITY:
        return
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if allowed < count:
        log.warning("only %d files may be open at once: mllp.max_connections is more than can be had", allowed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


async def _serve(ris: Ris, make_intake: Callable[[Program], Intake]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in STOPPING:
        loop.add_signal_handler(name, stop.set)
    ready: asyncio.Future[int] = loop.create_future()
    ready.add_done_callback(lambda port: _say_ready(ris, port))
    # What is loaded now lives as long as the process, and a group leaves few circles behind: the collector looks seldom.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    await Listener(ris, make_intake).serve(ready, stop)
    # The loop gives the signals back when it closes: whoever asks a second time must not kill what is ending in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _say_ready(ris: Ris, port: "asyncio.Future[int]") -> None:
    print(f"listener ready on {ris.settings.mllp.host}:{port.result()}", flush=True)  # noqa: T201 (who started it waits for this line)
