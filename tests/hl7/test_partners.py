"""What is agreed with one partner and not with another: its codes, its numbers, its port, addresses and certificate."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ris.base.errors import Duplicate, Invalid
from ris.bootstrap import Ris
from ris.catalog import service as catalog
from ris.hl7.origin import Origin
from ris.order.status import Priority
from ris.partner import policy
from ris.partner import service as partners
from ris.partner.model import Partner
from ris.partner.service import PartnerData
from ris.patient.model import Observation, Patient, PatientIdentifier, Sex, Visit
from ris.settings import Mllp
from tests.factories.hospital import Hospital
from tests.hl7.asking import AA, accept, agree, ask, journal, order_of, outcome, rows
from tests.hl7.listening import Peer, listener_process, listening
from tests.hl7.test_listener_tls import exchange, make_certificate, serving
from tests.messages.samples import message, msh, obr, orc, order, orm, pid, pv1
from tests.waiting import until

ON_SQLITE = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
"""For what the database has no part in."""
ON_POSTGRESQL = pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
"""Where several listeners may be."""


def map_codes(ris: Ris, hospital: Hospital, *codes: tuple[str, str, str]) -> None:
    with ris.uow(hospital.actor("integration")) as uow:
        for kind, theirs, ours in codes:
            catalog.map_code(uow, partner_id=hospital.partner_id, kind=kind, their_code=theirs, our_code=ours)


# ── codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_code_is_read_as_what_it_is_here(ris: Ris, hospital: Hospital) -> None:
    map_codes(
        ris, hospital, ("procedure", "HEAD7", "CTHEAD"), ("order_control", "ADD", "NW"), ("priority", "1", "S"), ("sex", "W", "F"),
        ("class", "STAT", "I"), ("location", "W12", "Ward twelve"), ("provider", "doc7", "1234"), ("authority", "OLDHOSP", "HOSP"),
        ("identifier_type", "KIS", "MR"), ("observation", "GEW", "weight"),
    )  # fmt: skip
    accept(
        ris,
        orm(
            pid("M1^^^OLDHOSP^KIS", sex="W"), pv1("V1", "STAT", "W12^7"), orc("ADD", "P1^EHR", f7="^^^^^1"),
            obr("P1^EHR", "HEAD7^Schädel^L", f16="doc7^Grove^Oscar"), "OBX|1|NM|GEW||72|kg",
        ),
    )  # fmt: skip
    with ris.read() as session:
        placed = order_of(session)
        assert placed.procedures[0].procedure_id == hospital.procedures["CTHEAD"]
        assert (placed.priority, placed.orderer_number) == (Priority.stat, "1234")
        assert session.scalars(sa.select(Patient.sex)).one() is Sex.female
        assert session.scalars(sa.select(PatientIdentifier.key)).one() == "HOSP|MR|M1"
        assert session.execute(sa.select(Visit.patient_class, Visit.location)).one() == ("I", "Ward twelve 7")
        assert session.scalars(sa.select(Observation.kind)).one() == "weight"


def test_a_code_that_nobody_has_mapped_holds_nothing_up_and_another_partner_is_not_meant(ris: Ris, hospital: Hospital) -> None:
    map_codes(ris, hospital, ("sex", "W", "F"))
    with ris.uow() as uow:
        partners.add(uow, PartnerData("WEST", "EHR", "WEST", "UTC", site_id=hospital.sites["WEST"]))
    accept(
        ris,
        message(msh("ORM^O01", sender="EHR|WEST"), pid("M9^^^WEST^MR", sex="W"), orc("NW", "P9"), obr("P9", "XX9^What^L", f5="7")),
    )
    with ris.read() as session:
        assert session.scalars(sa.select(Patient.sex)).one() is Sex.other
        assert (order_of(session, "P9").priority, order_of(session, "P9").procedures[0].procedure_id) == (Priority.routine, None)


@ON_SQLITE
@pytest.mark.parametrize(
    ("kind", "ours"), [("colour", "red"), ("sex", "X"), ("priority", "now"), ("procedure", "NOTHING"), ("observation", "")]
)
def test_a_code_is_mapped_to_something_that_there_is(kind: str, ours: str, ris: Ris, hospital: Hospital) -> None:
    with pytest.raises(Invalid):
        map_codes(ris, hospital, (kind, "A", ours))


# ── accession numbers ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_accession_number_stands_where_it_is_agreed_and_may_be_ours_too(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, accession_place="OBR-20", accession_owner="partner")
    both = orm(pid(), orc("NW", "P1^EHR"), obr("P1^EHR", f18="X18", f20="ACC1"), obr("P1^EHR", "MRBRAIN^MR^L", f20="ACC1"))
    accept(ris, both, order("P2^EHR"), orm(pid(), orc("NW", "P3^EHR"), obr("P3^EHR", f20="A" * 17)))
    with ris.read() as session:
        first, second = order_of(session).procedures
        assert (first.accession_number, first.foreign_accession, second.foreign_accession) == ("ACC1", "ACC1", "ACC1")
        # One number names one exam: the second has its own.
        assert second.accession_number.startswith("A2")
        assert order_of(session, "P2").procedures[0].accession_number.startswith("A2")
        assert order_of(session, "P3").procedures[0].accession_number.startswith("A2")


# ── ports, addresses, certificates ───────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def serving_plain(ris: Ris) -> Iterator[int]:
    other = Ris(ris.settings.model_copy(update={"mllp": Mllp(port=0, idle_seconds=1)}))
    with listening(other) as port:
        yield port
    other.close()


STRANGER = message(msh("ORM^O01", sender="WHO|KNOWS"), pid(), orc("NW", "P1^EHR"), obr("P1^EHR"))


@ON_SQLITE
def test_what_comes_in_by_a_partners_own_port_is_the_partners(ris: Ris, hospital: Hospital) -> None:
    own = free_port()
    agree(ris, hospital, port=own)
    with serving_plain(ris) as shared, Peer(own) as peer, Peer(shared) as other:
        assert outcome(peer.exchange(STRANGER)) == AA
        assert outcome(other.exchange(STRANGER)) == ("AR", "103", "MSH^1^3")
    with ris.read() as session:
        assert order_of(session).partner_id == hospital.partner_id


@ON_SQLITE
def test_a_port_is_opened_and_closed_while_the_listener_runs(ris: Ris, hospital: Hospital) -> None:
    own = free_port()
    with serving_plain(ris):
        agree(ris, hospital, port=own)
        until(lambda: is_open(own))
        with Peer(own) as peer:
            assert outcome(peer.exchange(order())) == AA
        agree(ris, hospital)
        until(lambda: not is_open(own))


@ON_POSTGRESQL
def test_several_listeners_of_one_machine_share_every_port(ris: Ris, hospital: Hospital) -> None:
    own, common = free_port(), free_port()
    agree(ris, hospital, port=own)
    with (
        listener_process(ris, common, RIS_MLLP__PROCESSES="2") as first,
        listener_process(ris, common, RIS_MLLP__PROCESSES="2") as second,
    ):
        for number, leaving in ((1, first), (2, second)):
            for port in (own, common):
                with Peer(port) as peer:
                    assert outcome(peer.exchange(order(f"P{number}.{port}^EHR"))) == AA
            leaving.stop()
    assert not is_open(own)


def is_open(port: int) -> bool:
    try:
        Peer(port).close()
    except ConnectionRefusedError:
        return False
    return True


@ON_SQLITE
@pytest.mark.parametrize(("addresses", "is_in"), [("127.0.0.1", True), ("10.0.0.0/8 127.0.0.0/8", True), ("192.0.2.1", False)])
def test_only_the_partners_addresses_may_send_for_it(addresses: str, is_in: bool, ris: Ris, hospital: Hospital) -> None:
    own = free_port()
    agree(ris, hospital, port=own, addresses=addresses)
    with serving_plain(ris) as shared:
        with Peer(own) as peer:
            if is_in:
                assert outcome(peer.exchange(order("P1^EHR"))) == AA
            else:
                assert peer.is_closed()
        with Peer(shared) as peer:
            assert outcome(peer.exchange(order("P2^EHR"))) == (AA if is_in else ("AR", "207", "MSH^1^3"))
    entries = rows(ris, "SELECT object_kind FROM audit_entry WHERE what = 'node.refused' ORDER BY id")
    assert entries == ([] if is_in else [("port",), ("partner",)])


@ON_SQLITE
def test_a_certificate_speaks_for_the_partner_that_it_names_and_for_no_other(ris: Ris, hospital: Hospital, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "ehr.hospital.example")
    answers = []
    for name in ("ehr.hospital.example", "another.example"):
        agree(ris, hospital, certificate_name=name)
        with serving(ris, tmp_path, client_authorities=certificate) as (port, context):
            context.load_cert_chain(certificate, key)
            answers.append(outcome(exchange(port, context, order())))
    assert answers == [AA, ("AR", "207", "MSH^1^3")]
    assert journal(ris) == [("applied", "AA"), ("refused", "AR")]


def test_an_origin_reads_as_its_place() -> None:
    assert Origin("[::1]:4000", 2575) == "[::1]:4000"
    assert Origin("10.1.2.3:4000", 2575).is_from("10.1.0.0/16")
    assert not Origin("somewhere", 2575).is_from("10.1.0.0/16")


# ── policies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text"),
    [("port", "70000"), ("port", "many"), ("addresses", "10.0.0.300"), ("accession_place", "OBR20"), ("order_response", "perhaps"),
     ("accept_test_messages", "yes"), ("nothing", "x")],
)  # fmt: skip
def test_a_value_that_means_nothing_is_not_agreed(name: str, text: str) -> None:
    with pytest.raises(Invalid):
        policy.read(name, text)


def test_two_partners_have_not_one_port(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, port=2600)
    with ris.uow() as uow, pytest.raises(Duplicate):
        partners.add(uow, PartnerData("WEST", "EHR", "WEST", "UTC", policies={"port": 2600}))
    with ris.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Partner)) == 1


@ON_SQLITE
def test_a_message_from_a_file_or_a_replay_needs_no_address(ris: Ris, hospital: Hospital) -> None:
    agree(ris, hospital, addresses="192.0.2.99", certificate_name="ehr.example")
    assert ask(ris, order()) == [AA]
