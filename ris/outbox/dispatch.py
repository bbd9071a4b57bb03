"""The destinations of one sender process: a worker for each, and the leases that say which process may send where."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ris.base.uow import UnitOfWork
from ris.outbox import lease
from ris.outbox.transport import Transport
from ris.outbox.worker import Means, Worker
from ris.partner.model import Destination

log = logging.getLogger(__name__)

LEASE_S = 15.0


class Dispatcher:
    """All destinations of one sender process. Several processes may run: the lease decides, destination by destination."""

    def __init__(
        self,
        unit: Callable[[], UnitOfWork],
        read: Callable[[], Session],
        transports: Mapping[str, Transport],
        *,
        clock: Callable[[], datetime],
        lease_s: float = LEASE_S,
    ) -> None:
        self._means = Means(unit, read, transports, clock, lease_s)
        self._workers: dict[int, Worker] = {}
        self._keeper = threading.Thread(target=self._keep_leases, name="leases", daemon=True)

    def start(self) -> Self:
        self._keeper.start()
        self.look()
        return self

    def look(self) -> None:
        """Something may have changed: new destinations get a worker, and every worker looks at its queue."""
        with self._means.read() as session:
            known = session.scalars(sa.select(Destination.id).where(Destination.active)).all()
        for destination_id in known:
            if destination_id not in self._workers:
                self._workers[destination_id] = Worker(self._means, destination_id)
                self._workers[destination_id].start()
        for worker in self._workers.values():
            worker.poke()

    def stop(self, grace_s: float = 5.0) -> None:
        """Ends every worker: what is under way may be answered within the grace, then it is as if no answer had come."""
        self._means.stopping.set()
        for worker in self._workers.values():
            worker.poke()
        deadline = threading.Event()
        timer = threading.Timer(grace_s, deadline.set)
        timer.daemon = True
        timer.start()
        for worker in self._workers.values():
            while worker.is_alive() and not deadline.is_set():
                worker.join(0.02)
        timer.cancel()
        for worker in self._workers.values():
            # Again and again: one that was just connecting had nothing to hang up.
            while worker.is_alive():
                worker.hang_up()
                worker.join(0.1)
        self._keeper.join()

    def _keep_leases(self) -> None:
        while not self._means.stopping.wait(self._means.lease_s / 3):
            try:
                self._renew_all()
            except SQLAlchemyError as error:
                log.warning("leases could not be renewed: %s", type(error).__name__)

    def _renew_all(self) -> None:
        grants = {worker: worker.grant for worker in list(self._workers.values()) if worker.grant}
        if not grants:
            return
        with self._means.unit() as uow:
            kept = {w: lease.renew(uow.session, grant, now=uow.now, seconds=self._means.lease_s) for w, grant in grants.items() if grant}
        for worker, is_kept in kept.items():
            grant = grants[worker]
            if grant and is_kept:
                worker.renewed(grant, uow.now)
            else:
                worker.lost(grant)
