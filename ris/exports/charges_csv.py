"""The nightly file of charges: claimed, built and kept in one transaction, then written, so that a crash loses and doubles nothing."""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import sqlalchemy as sa

from ris.base.errors import NotAllowedNow
from ris.base.files import put_in_place, sha256_of, write_part, write_whole
from ris.base.ids import new_id
from ris.base.money import Money
from ris.base.ref import Ref
from ris.base.uow import Event, UnitOfWork
from ris.billing.export import claim_ready, mark_exported
from ris.billing.model import Charge, ExportBatch
from ris.catalog.model import Site
from ris.exports.model import ExportContent
from ris.order.model import Order, RequestedProcedure
from ris.outbox import hold
from ris.patient.mrn import mrns
from ris.program import Program

NAME = "charges"
COLUMNS = (
    "batch", "charge", "accession", "mrn", "authority", "service_date", "component", "code", "quantity", "amount", "currency", "site",
    "orderer_number", "orderer_name", "reverses",
)  # fmt: skip
STEPS = ("claimed", "committed", "part_written", "renamed", "checksum_written", "noted")
"""After which of its steps `write` calls its hook."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for the beginning of a formula."""


def write(program: Program, business_date: date, until: datetime, after_step: Callable[[str], None] = lambda _: None) -> Path:
    """The file of a business date: its ready charges that were captured before `until`.

    Again for the same date it gives the same name and the same bytes, and claims nothing more. A night without charges
    gives a file that says so. Raises NotAllowedNow while everything outbound is held.
    """
    batch, content = _claim(program, business_date, until, after_step)
    after_step("committed")
    path = program.settings.data.dir / "exports" / batch.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or sha256_of(path) != batch.sha256:
        part = write_part(path, content)
        after_step("part_written")
        put_in_place(part, path)
    after_step("renamed")
    write_whole(path.with_name(path.name + ".sha256"), f"{batch.sha256}  {path.name}\n".encode())
    after_step("checksum_written")
    _note_written(program, batch.id)
    after_step("noted")
    return path


def _claim(program: Program, business_date: date, until: datetime, after_step: Callable[[str], None]) -> tuple[ExportBatch, bytes]:
    """The batch of the date with its bytes; made now when there is none."""
    with program.uow() as uow:
        why = hold.why_held(uow.session)
        if why:
            raise NotAllowedNow(f"nothing is exported: {why}")
        uow.lock(f"export:{NAME}")
        known = uow.session.scalars(
            sa.select(ExportBatch).where(ExportBatch.export == NAME, ExportBatch.business_date == business_date)
        ).one_or_none()
        if known:
            return known, uow.session.get_one(ExportContent, known.id).content
        charges = claim_ready(uow, until)
        batch = _new_batch(uow, business_date)
        content = _build(uow, batch, charges)
        uow.session.flush()
        uow.add(ExportContent(batch_id=batch.id, content=content))
        mark_exported(uow, batch, charges)
        after_step("claimed")
    return batch, content


def _new_batch(uow: UnitOfWork, business_date: date) -> ExportBatch:
    batch = ExportBatch(
        id=new_id(), export=NAME, business_date=business_date, number=uow.number("export"),
        file_name=f"charges-{business_date:%Y-%m-%d}.csv", created_at=uow.now,
    )  # fmt: skip
    uow.emit(Event("export.made", Ref("export_batch", batch.id), facts={"number": batch.number, "date": business_date.isoformat()}))
    return uow.add(batch)


def _build(uow: UnitOfWork, batch: ExportBatch, charges: Sequence[Charge]) -> bytes:
    """Header, a line for each charge, and a trailer with count and totals per currency; fills the batch's sums."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    totals: dict[str, Money] = defaultdict(lambda: Money(0, ""))
    for charge, row in zip(charges, _rows(uow, batch, charges), strict=True):
        lines.writerow(row)
        amount = Money(charge.amount or 0, charge.currency)
        totals[charge.currency] = totals[charge.currency] + amount if charge.currency in totals else amount
    batch.lines = len(charges)
    batch.total = "; ".join(str(totals[currency]) for currency in sorted(totals))
    lines.writerow(("TRAILER", batch.number, batch.business_date.isoformat(), batch.lines, batch.total or "no charges"))
    content = text.getvalue().encode()
    batch.sha256 = hashlib.sha256(content).hexdigest()
    return content


def _rows(uow: UnitOfWork, batch: ExportBatch, charges: Sequence[Charge]) -> list[tuple[object, ...]]:
    found = {
        charge_id: (accession, patient_id, site, orderer_number, orderer_name)
        for charge_id, accession, patient_id, site, orderer_number, orderer_name in uow.session.execute(
            sa.select(Charge.id, RequestedProcedure.accession_number, Order.patient_id, Site.code, Order.orderer_number, Order.orderer_name)
            .join(RequestedProcedure, RequestedProcedure.id == Charge.procedure_id)
            .join(Order, Order.id == RequestedProcedure.order_id)
            .join(Site, Site.id == RequestedProcedure.site_id)
            .where(Charge.id.in_([charge.id for charge in charges]))
        )
    }
    identifiers = mrns(uow.session, {row[1] for row in found.values()})
    return [_row(batch, charge, found[charge.id], identifiers) for charge in charges]


def _row(
    batch: ExportBatch, charge: Charge, about: tuple[str, int, str, str, str], identifiers: dict[int, tuple[str, str]]
) -> tuple[object, ...]:
    accession, patient_id, site, orderer_number, orderer_name = about
    mrn, authority = identifiers.get(patient_id, ("", ""))
    amount = Money(charge.amount or 0, charge.currency)
    return (
        batch.number, charge.id, accession, _plain(mrn), _plain(authority), charge.service_date.isoformat(), charge.component.value,
        _plain(charge.code), charge.quantity, str(amount).split(" ")[0], charge.currency, site, _plain(orderer_number),
        _plain(orderer_name), charge.reverses_id or "",
    )  # fmt: skip


def _plain(text: str) -> str:
    """As it is, but never a formula to the spreadsheet that somebody will open it with."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _note_written(program: Program, batch_id: int) -> None:
    with program.uow() as uow:
        batch = uow.session.get_one(ExportBatch, batch_id)
        if batch.written_at is None:
            uow.touch()
            batch.written_at = uow.now
