"""The worklists: each is one file and one line here."""

from ris.web.worklists import arrivals, protocol, queue, reading, technologist, to_move, unscheduled
from ris.web.worklists.listing import Worklist

WORKLISTS: dict[str, Worklist] = {
    "arrivals": arrivals.WORKLIST,
    "unscheduled": unscheduled.WORKLIST,
    "to-move": to_move.WORKLIST,
    "queue": queue.WORKLIST,
    "technologist": technologist.WORKLIST,
    "protocol": protocol.WORKLIST,
    "reading": reading.WORKLIST,
}
