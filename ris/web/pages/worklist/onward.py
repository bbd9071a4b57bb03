"""Going on through the reading list: which list somebody reads from, what is left in it, and the next exam."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import flash, request, url_for

from ris.base.errors import RisError
from ris.report import queries, service
from ris.report.queries import COUNTED, Narrowed
from ris.staff import reads
from ris.web.access import person
from ris.web.page import changing, listed_sites, program, reading
from ris.web.worklists.reading import FACETS, NAME, WORKLIST, narrowed, narrowed_sites

TRIES = 8
"""So many exams may somebody else be faster with, one after the other, until the list itself is shown again."""


def said(count: int) -> str:
    return str(count) if count <= COUNTED else f"{COUNTED}+"


def list_address(filters: Mapping[str, str]) -> str:
    values: dict[str, Any] = {**filters}
    return url_for("worklist.show", name=NAME, **values)


def address() -> str:
    """Where a report that is done with leads: to its list, or to the next exam of it where the form says so."""
    filters = _read_from()
    return claim_next(filters) if request.form.get("go_on") else list_address(filters)


def shown() -> dict[str, Any]:
    """What the editor says of the list."""
    filters = _read_from()
    with reading() as session:
        sites, asked = _asked(filters, reads.of(session, person().id))
        count = queries.counted(session, sites, program().clock(), asked)[0]
    return {"reading_list": urlencode(filters), "left": said(count), "go_on": "go_on" in request.values}


def claim_next(filters: Mapping[str, str]) -> str:
    """The address of the next report of the list, claimed; of the list itself when nothing in it is free."""
    for _ in range(TRIES):
        with reading() as session:
            sites, asked = _asked(filters, reads.of(session, person().id))
            procedure_id = queries.next_to_read(session, sites, program().clock(), asked)
        if procedure_id is None:
            break
        try:
            with changing() as uow:
                service.claim(uow, service.open_for(uow, procedure_id).id)
        except RisError:
            continue
        return url_for("report.show", procedure_id=procedure_id, list=urlencode(filters), go_on="yes")
    flash("Nothing in this list is free to read.")
    return list_address(filters)


def _asked(filters: Mapping[str, str], own: reads.Reads) -> tuple[frozenset[int], Narrowed]:
    return narrowed_sites(filters, listed_sites(WORKLIST.permission)), narrowed(filters, person().id, own)


def _read_from() -> dict[str, str]:
    """The filters of the list that somebody came from; none: the whole list."""
    return {name: value for name, value in parse_qsl(request.values.get("list", "")) if name in ("q", *FACETS)}
