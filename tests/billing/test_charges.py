"""Every exam is charged once, by component, or its charge says why it is held."""

import pytest
import sqlalchemy as sa

from ris.base.errors import Invalid, NotAllowedNow
from ris.billing import service
from ris.billing.model import Charge, ChargeStatus, Component
from ris.bootstrap import Ris
from ris.report import service as reports
from tests.factories.hospital import Hospital
from tests.factories.orders import completed, reported


def _charges(ris: Ris) -> list[Charge]:
    with ris.read() as session:
        return list(session.scalars(sa.select(Charge).order_by(Charge.component)))


def test_completion_charges_the_technical_component(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    (charge,) = _charges(ris)
    assert (charge.component, charge.code, charge.amount, charge.status) == (Component.technical, "CTHEAD-T", 12_000, ChargeStatus.ready)


def test_publication_charges_the_professional_component_and_an_addendum_nothing_more(ris: Ris, hospital: Hospital) -> None:
    exam = reported(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        reports.addend(uow, report_id=reports.open_for(uow, exam.id).id, text="More.", password_checked=True)
    assert [(c.component, c.amount) for c in _charges(ris)] == [(Component.professional, 4_500), (Component.technical, 12_000)]


def test_a_preliminary_report_charges_nothing(ris: Ris, hospital: Hospital) -> None:
    exam = completed(ris, hospital)
    with ris.uow(hospital.actor("radiologist")) as uow:
        report = reports.claim(uow, reports.open_for(uow, exam.id).id)
        uow.session.flush()
        reports.sign_preliminary(uow, report_id=report.id, text="Looks normal.", row_version=report.row_version)
    assert [c.component for c in _charges(ris)] == [Component.technical]


def test_what_has_no_price_is_held_with_the_reason_and_stops_no_completion(ris: Ris, hospital: Hospital) -> None:
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET technical_amount = NULL, professional_code = ''"))
    reported(ris, hospital)
    assert {(c.component, c.status, c.held_reason) for c in _charges(ris)} == {
        (Component.technical, ChargeStatus.held, "the procedure has no price"),
        (Component.professional, ChargeStatus.held, "the procedure has no charge code"),
    }


def test_the_database_refuses_a_second_charge_of_a_component(ris: Ris, hospital: Hospital) -> None:
    completed(ris, hospital)
    (charge,) = _charges(ris)
    copied = {c.name: getattr(charge, c.name) for c in Charge.__table__.columns} | {"id": charge.id + 1}
    with pytest.raises(sa.exc.IntegrityError), ris.engine.begin() as connection:
        connection.execute(sa.insert(Charge.__table__), copied)


def test_a_held_charge_is_released_with_code_and_price_once(ris: Ris, hospital: Hospital) -> None:
    with ris.engine.begin() as connection:
        connection.execute(sa.text("UPDATE procedure SET technical_amount = NULL"))
    completed(ris, hospital)
    (charge,) = _charges(ris)
    for code, amount, reason in (("", 100, "by agreement"), ("X1", -1, "by agreement"), ("X1", 100, " ")):
        with pytest.raises(Invalid), ris.uow(hospital.actor("billing")) as uow:
            service.release(uow, charge_id=charge.id, code=code, amount=amount, reason=reason)
    with ris.uow(hospital.actor("billing")) as uow:
        service.release(uow, charge_id=charge.id, code="X1", amount=9_900, reason="by agreement")
    with pytest.raises(NotAllowedNow), ris.uow(hospital.actor("billing")) as uow:
        service.release(uow, charge_id=charge.id, code="X1", amount=9_900, reason="by agreement")
    assert [(c.status, c.amount) for c in _charges(ris)] == [(ChargeStatus.ready, 9_900)]
