"""The worklists: each is one file and one line here."""

from ris.web.worklists import arrivals, protocol, queue, reading, technologist
from ris.web.worklists.listing import Worklist

WORKLISTS: dict[str, Worklist] = {
    "arrivals": arrivals.WORKLIST,
    "queue": queue.WORKLIST,
    "technologist": technologist.WORKLIST,
    "protocol": protocol.WORKLIST,
    "reading": reading.WORKLIST,
}
