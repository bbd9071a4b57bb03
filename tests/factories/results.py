"""Referrers with a way for their results, and signed reports of exams."""

from ris.bootstrap import Ris
from ris.order.model import Order, RequestedProcedure
from ris.referrer import service as referrers
from ris.referrer.model import Delivery as By
from ris.referrer.service import Named, PracticeData, ReferrerData
from ris.report import service as reports
from tests.factories.hospital import Hospital
from tests.factories.orders import completed


def referrer(ris: Ris, family: str, by: By, **practice: object) -> int:
    """Who is called so by orders of the desk."""
    with ris.uow() as uow:
        row = referrers.add(uow, ReferrerData(family))
        referrers._call(uow, row, Named(None, "", family))
        referrers.save_practice(uow, row.id, PracticeData(f"{family} practice", street="1 Hill", city="Dale", delivery=by, **practice))
        return row.id


def exam_with_copies(ris: Ris, hospital: Hospital, *lines: str) -> RequestedProcedure:
    """A completed exam of an order that was entered here."""
    exam = completed(ris, hospital)
    with ris.uow() as uow:
        order = uow.session.get_one(Order, exam.order_id)
        order.partner_id, order.placer_key, order.copies_to = None, None, "\n".join(lines)
    return exam


def sign(ris: Ris, hospital: Hospital, exam: RequestedProcedure, kind: str = "final", text: str = "No fracture.") -> int:
    """The report; it is published where no delay is set."""
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = reports.open_for(uow, exam.id)
        if kind == "addendum":
            reports.addend(uow, report_id=report.id, text=text, password_checked=True)
        elif kind == "retraction":
            reports.retract(uow, report_id=report.id, reason="wrong patient", password_checked=True)
        else:
            reports.claim(uow, report.id)
            uow.session.flush()
            known = {"report_id": report.id, "text": text, "row_version": report.row_version}
            if kind == "final":
                reports.sign_final(uow, **known, password_checked=True)
            else:
                reports.sign_preliminary(uow, **known)
        return report.id
