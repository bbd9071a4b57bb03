"""Reference data is changed with a version and a history, taken back, and used by who plans."""

import pytest
import sqlalchemy as sa

from ris.base.errors import Conflict, Stale
from ris.bootstrap import Ris
from ris.catalog.kinds import DURATION, PREPARATION, PROCEDURE, STEP
from ris.catalog.model import Procedure
from ris.catalog.queries import preparation_in
from ris.catalog.records import service
from ris.catalog.records.history import history
from ris.catalog.records.record import Rejected
from tests.factories.hospital import Hospital


def test_a_record_is_changed_taken_back_and_refused_when_somebody_was_faster(ris: Ris, hospital: Hospital) -> None:
    head = hospital.procedures["CTHEAD"]
    actor = hospital.actor("administrator")
    with ris.uow(actor) as uow, pytest.raises(Conflict, match="nothing was changed"):
        service.undo(uow, PROCEDURE, head, row_version=1)
    with ris.uow(actor) as uow:
        service.change(uow, PROCEDURE, head, {"region": "head", "needs_consent": "yes", "code": "OTHER"}, row_version=1)
    with ris.uow(actor) as uow, pytest.raises(Stale):
        service.change(uow, PROCEDURE, head, {"region": "skull"}, row_version=1)
    with ris.uow(actor) as uow:
        service.undo(uow, PROCEDURE, head, row_version=2)
    with ris.read() as session:
        row = session.get_one(PROCEDURE.model, head)
        assert (row.code, row.region, row.needs_consent, row.row_version) == ("CTHEAD", "", False, 3)
        changes = history(session, PROCEDURE, head)
    assert [(change.before, change.after) for change in changes] == [
        ({"region": "head", "needs_consent": "yes"}, {"region": "", "needs_consent": "no"}),
        ({"region": "", "needs_consent": "no"}, {"region": "head", "needs_consent": "yes"}),
    ]
    assert changes[0].who == actor.name


def test_steps_stand_in_turn_durations_fit_a_day_and_texts_speak_the_patients_language(ris: Ris, hospital: Hospital) -> None:
    with ris.uow() as uow:
        with pytest.raises(Rejected, match="would leave steps 2"):
            service.add(uow, STEP, {"procedure": "MRBRAIN", "step": "2", "name": "images"})
        first = service.add(uow, STEP, {"procedure": "MRBRAIN", "step": "1", "name": "injection"})
        service.add(uow, STEP, {"procedure": "MRBRAIN", "step": "2", "name": "images", "gap_min_minutes": "30", "gap_max_minutes": "60"})
        with pytest.raises(Rejected, match="retire the last one first"):
            service.change(uow, STEP, first.id, {"active": "no"})
        with pytest.raises(Rejected, match="makes 730 minutes"):
            service.add(uow, DURATION, {"procedure": "MRBRAIN", "step": "2", "room": "MR1", "minutes": "720", "set_up_minutes": "10"})
        service.add(uow, PREPARATION, {"procedure": "MRBRAIN", "language": "es", "text": "Sin metal."})
    with ris.read() as session:
        of_brain = sa.select(preparation_in(sa.literal("es")), preparation_in(sa.literal("de"))).where(Procedure.code == "MRBRAIN")
        assert session.execute(of_brain.select_from(Procedure)).one() == ("Sin metal.", None)
