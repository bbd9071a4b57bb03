"""The listener, which the message DEADLY ends; so it does the process in which it is taken alone."""

import os
import sys

from ris.base.uow import UnitOfWork
from ris.hl7.inbound import READERS
from ris.hl7.inbound.reading import Reading
from ris.processes import listener
from ris.settings import load

update = READERS["ADT", "A04"]


def kill(uow: UnitOfWork, reading: Reading) -> None:
    if reading.control_id == "DEADLY":
        os._exit(9)
    update(uow, reading)


READERS["ADT", "A04"] = kill

if __name__ == "__main__":
    sys.exit(listener.run(load(None)))
