"""Rows as the text of a CSV file (RFC 4180) that no program takes for formulas."""

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """One line a row; a cell that a spreadsheet would calculate begins with an apostrophe."""
    text = io.StringIO()
    csv.writer(text).writerows([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in rows)
    return text.getvalue()


def plain(cell: str) -> str:
    """What was meant by a cell of such a file: without the apostrophe that kept it from being calculated."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
