"""Live lists: what a page shows has a version; a poll that brings the same version is answered with nothing."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block


def version(rows: Iterable[Any], filters: Mapping[str, str]) -> str:
    """A hash over everything that the rows show, and the filters: no table of versions that every writer would lock."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(repr(sorted(filters.items())).encode())
    for row in rows:
        digest.update(repr(row).encode())
    return digest.hexdigest()


def answer(template: str, rows: Iterable[Any], filters: Mapping[str, str], **context: Any) -> ResponseReturnValue:
    """The whole page; for a poll (`v` in the query) only its block `rows`, or 204 when nothing has changed."""
    token = version(rows, filters)
    known = request.args.get("v")
    if known is None:
        return render_template(template, rows=rows, filters=filters, version=token, **context)
    if known == token:
        return Response(status=204)
    return render_block(template, "rows", rows=rows, filters=filters, version=token, **context)
