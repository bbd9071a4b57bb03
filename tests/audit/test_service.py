"""What kind of act each event is in the trail."""

import pytest

from ris.audit.model import Action, AuditEntry, Outcome
from ris.base.ref import Ref
from ris.base.uow import Actor, Event
from ris.bootstrap import Ris


@pytest.mark.parametrize(
    ("name", "action", "outcome"),
    [
        ("order.placed", Action.create, Outcome.success),
        ("staff.user_added", Action.create, Outcome.success),
        ("patient.visit_opened", Action.create, Outcome.success),
        ("order.changed", Action.update, Outcome.success),
        ("staff.role_assigned", Action.update, Outcome.success),
        ("staff.logged_in", Action.execute, Outcome.success),
        ("staff.login_refused", Action.execute, Outcome.refused),
        ("staff.password_refused", Action.execute, Outcome.refused),
    ],
)
def test_an_event_leaves_one_entry_in_its_own_transaction(ris: Ris, name: str, action: Action, outcome: Outcome) -> None:
    with ris.uow(Actor("user", 7, "Ida Oak", "192.0.2.7")) as uow:
        uow.emit(Event(name, Ref("thing", 5), site_id=3, facts={"placer_partner_id": None}))
    with ris.read() as session:
        (entry,) = session.query(AuditEntry).all()
    assert (entry.what, entry.action, entry.outcome) == (name, action, outcome)
    assert (entry.actor_name, entry.place, entry.object_kind, entry.object_id, entry.site_id) == ("Ida Oak", "192.0.2.7", "thing", 5, 3)


def test_what_is_rolled_back_leaves_no_entry(ris: Ris) -> None:
    def fail() -> None:
        with ris.uow() as uow:
            uow.emit(Event("order.changed", Ref("order", 5), facts={"placer_partner_id": None}))
            uow.flush()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with ris.read() as session:
        assert session.query(AuditEntry).count() == 0
