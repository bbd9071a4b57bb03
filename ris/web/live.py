"""Live lists: what a page shows has a version; a poll that brings the same version is answered with nothing."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, cast

from flask import Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from jinja2 import StrictUndefined
from jinja2_fragments.flask import render_block

from ris.web.access import person
from ris.web.polls import VERSION, Find, Polls, Shown, asked_of
from ris.web.session import current_session


def version(rows: Iterable[Any], filters: Mapping[str, str]) -> str:
    """A hash over everything that the rows show, and the filters: no table of versions that every writer would lock."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(repr(sorted(filters.items())).encode())
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()


def shared(key: Hashable, find: Find) -> Shown:
    """What a list shows; for a poll it may be what was found a moment ago for another person of the same key.

    The key says everything that it depends on; `find` is also called when there is no request any more.
    """
    polls = cast("Polls", current_app.extensions["ris_polls"])
    known = request.args.get(VERSION)
    shown = polls.shown(key, find, anew=known is None)
    session = current_session()
    if known is not None and session.row is not None:
        polls.remember(session.token, asked_of(request.environ)[0], key, find, session.row)
    return shown


def answer(template: str, rows: Iterable[Any], filters: Mapping[str, str], **context: Any) -> ResponseReturnValue:
    """The whole page; for a poll (`v` in the query) only its block `rows`, or 204 when nothing has changed."""
    return drawn(template, version(rows, filters), rows=rows, filters=filters, **context)


def drawn(template: str, token: str, block: str = "rows", **context: Any) -> ResponseReturnValue:
    """As `answer`, for a version that is known already, and for a block of any name."""
    known = request.args.get(VERSION)
    if known is None:
        return render_template(template, version=token, **context)
    if known == token:
        return Response(status=204)
    return render_block(template, block, version=token, **context)


def told(shown: Shown, kind: str, draw: Callable[[str], str]) -> Response:
    """The answer to a poll of a shared list: nothing (204), or what `draw` makes for whoever has the version that it is given.

    It is drawn once for all who have the same version open and the same rights at the same sites, so it must not hold anything of
    one person or one session: `FOR_MANY` belongs into its context. `kind` is its content type.
    """
    known = request.args.get(VERSION, "")
    if known == shown.version:
        return Response(status=204)
    seen_by = shown.seen_by(known, person().rights)
    if seen_by not in shown.drawn:
        shown.drawn[seen_by] = kind, draw(known).encode()
    return Response(shown.drawn[seen_by][1], content_type=kind)


FOR_MANY = {name: StrictUndefined(f"{name} in what is drawn for many") for name in ("csrf_token", "form_key", "current_user")}
"""What a shared drawing cannot hold: a form token, a one-use key, a name."""
