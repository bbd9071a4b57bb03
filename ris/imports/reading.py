"""Lines of a CSV file: UTF-8 with or without a mark, comma, semicolon or tabulator, as spreadsheets write it."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ris.base.csv_text import plain
from ris.base.errors import Invalid
from ris.imports.kind import Kind, Line

_LONGEST_CELL = 200_000
_DELIMITERS = ",;\t"


class BadFile(Invalid):
    """A file of which no line can be read."""


def lines(kind: Kind, file: BinaryIO) -> Iterator[Line]:
    """Every line with something in it; what is wrong with its form is said of it. Raises BadFile for a header that does not fit."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _lines(kind, text)
    finally:
        text.detach()


def _lines(kind: Kind, text: io.TextIOWrapper) -> Iterator[Line]:
    first = text.readline()
    delimiter = max(_DELIMITERS, key=first.count)
    header = [plain(cell.strip()) for cell in next(csv.reader([first], delimiter=delimiter), [])]
    _check(kind, header)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(text, delimiter=delimiter)
    number = 2
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BadFile(
                f"line {reader.line_num + 1} cannot be taken apart ({error}): look for a quotation mark without its partner"
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield _line(kind, number, header, cells)
        number = reader.line_num + 2


def _check(kind: Kind, header: Sequence[str]) -> None:
    if not any(header):
        raise BadFile(f"the first line is empty: it names the columns, {', '.join(kind.column_names)}")
    if any("\udc80" <= character <= "\udcff" for name in header for character in name) or any("\0" in name for name in header):
        raise BadFile("this is no CSV file in UTF-8: in the spreadsheet, save it as “CSV UTF-8”")
    for name in header:
        if header.count(name) > 1:
            raise BadFile(f"the column {name or '(without a name)'} is there twice: take one of them out")
        if name not in kind.column_names:
            there_are = ", ".join(kind.column_names)
            raise BadFile(f"there is no column {name or '(without a name)'} in a file of {kind.title.lower()}; there are {there_are}")
    if missing := [column.name for column in kind.columns if column.required and column.name not in header]:
        raise BadFile(f"the column {', '.join(missing)} is missing: the first line names the columns")


def _line(kind: Kind, number: int, header: Sequence[str], cells: Sequence[str]) -> Line:
    named = {name: plain(cell.strip()) for name, cell in zip(header, cells, strict=False)}
    line = Line(number, named, " ".join(named.get(name, "") for name in kind.key if named.get(name)))
    if len(cells) != len(header):
        more = f"has {len(cells)} cells, and the header {len(header)}"
        line.wrong("", more, "put quotation marks round a cell with a comma or semicolon in it; leave no cell out")
    for name, cell in named.items():
        if any("\udc80" <= character <= "\udcff" for character in cell):
            line.wrong(name, "is not written in UTF-8", "in the spreadsheet, save the file as “CSV UTF-8”")
        elif "\0" in cell:
            line.wrong(name, "holds a character that is no text", "type the value anew")
    return line
