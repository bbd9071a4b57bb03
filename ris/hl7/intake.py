"""From frames to committed effects and answers: a group of messages in one transaction, and one at a time when that fails."""

import logging
import re
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError

from ris.base.errors import Conflict, Location, RisError, Stale, Unavailable, Unsupported
from ris.base.ids import new_id
from ris.base.ref import Ref
from ris.base.uow import RETRIED, Actor, UnitOfWork
from ris.catalog.queries import first_site, other_codes, procedures_for
from ris.hl7 import ack
from ris.hl7.answer import OWN_CONTROL_ID, Answer, answer
from ris.hl7.charset import decode
from ris.hl7.door import turned_away
from ris.hl7.er7 import Message
from ris.hl7.inbound import READERS, clinical, fields
from ris.hl7.inbound.order_response import order_response
from ris.hl7.inbound.reading import Reading
from ris.hl7.inbound.request import order_groups
from ris.hl7.incoming import Group, Incoming, runs
from ris.hl7.origin import Origin, is_let_in
from ris.hl7.refusal import CommitUnknown, Fault, NotLetIn, RefusedAfterChange, Rejected, described
from ris.journal import service as journal
from ris.journal.model import Direction, MessageState
from ris.journal.queries import Key, stored_answers, used_control_ids
from ris.journal.service import Entry
from ris.order.model import Order
from ris.outbox.record import SUBSCRIPTIONS, know_subscriptions
from ris.partner.policy import policy
from ris.partner.queries import PartnerRow, Partners, partners
from ris.patient.model import Patient, PatientIdentifier, Visit
from ris.program import Program
from ris.task import service as task

log = logging.getLogger(__name__)

PARTNERS_S = 1.0
"""What is agreed with a known partner is taken up after so long at the most."""

AWAY = Unavailable("it could not be stored: send it again later")
Codes = dict[int, dict[str, int]]
"""Partner to its codes to our procedures."""
_VERSION = re.compile(r"2\.[1-9](\D|$)")
"""MSH-12.1, table 0104: 2.1 to 2.9 and what was published between them."""


class Intake:
    """Applies messages; one for each listener process, used by one thread."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._partners: Partners | None = None
        self._partners_read_at = 0.0

    def take(self, frames: Sequence[tuple[bytes, str]]) -> list[bytes | None]:
        """The answers to frames (bytes, place of the sender), in their order; whatever happens, one for each.

        None: the sender wants no answer. An empty one: nobody knows whether COMMIT went through, so nothing may be said and the
        connection is closed.
        """
        if time.monotonic() - self._partners_read_at > PARTNERS_S:
            self._refresh_partners()
        incoming = [self._read(raw, place) for raw, place in frames]
        for group in runs(incoming):
            self._take_group(group)
        return [one.answer for one in incoming]

    def refuse_oversized(self, head: bytes, place: str) -> bytes | None:
        """The answer to a message that is longer than is taken; its beginning is journalled, the rest was never kept."""
        log.warning("a message of more than %d bytes was refused", self.program.settings.mllp.max_bytes)
        one = self._read_header(head, place)
        self._failed(one, Unsupported("the message is longer than is taken here", error_code="207"))
        return one.answer

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refresh_partners(self) -> None:
        try:
            with self.program.read() as session:
                self._partners = partners(session, other_codes(session))
            self._partners_read_at = time.monotonic()
        except SQLAlchemyError as error:
            log.error("the database is away: %s", type(error).__name__)

    def _read(self, raw: bytes, place: str) -> Incoming:
        one = Incoming(raw, place, digest=journal.digest(raw))
        try:
            one.header = ack.header(raw)
            one.partner = self._partner_at(one.header, place)
            decoded = decode(raw, one.partner.charset if one.partner else None)
            one.codec = decoded.codec
            one.message = Message.parse(decoded.text, decoded.codec)
            if not raw.isascii():
                one.header = ack.header(one.message)
            self._check_header(one)
            if one.partner is not None:
                one.patient = fields.patient(one.message, one.partner)
                one.visit = fields.visit(one.message, one.partner)
                if one.header.message_code != "ORU":  # A laboratory's numbers are rarely ours.
                    one.asked = order_groups(one.message, one.partner)
                one.observed = clinical.observations(one.message, one.partner, self.program.clock())
        except RisError as error:
            one.refusal = error
        except Exception as error:  # noqa: BLE001 (every message is owed an answer)
            _log_fault(one, error)
            one.refusal = Fault()
        return one

    def _read_header(self, raw: bytes, place: str) -> Incoming:
        """The message with its header alone."""
        one = Incoming(raw, place, digest=journal.digest(raw))
        with suppress(RisError):
            one.header = ack.header(raw)
            one.partner = self._partner_at(one.header, place)
        return one

    def _partner_at(self, header: ack.Header, place: str) -> PartnerRow | None:
        """Whose port it came in by, else whose MSH-3 and MSH-4 they are."""
        if isinstance(place, Origin) and self._partners is not None and place.port in self._partners.by_port:
            return self._partners.by_port[place.port]
        return self._partner(header)

    def _partner(self, header: ack.Header) -> PartnerRow | None:
        if self._partners is None:
            return None
        sender = header.sending_application.split("^")[0], header.sending_facility.split("^")[0]
        if sender not in self._partners.by_sender:
            # Before somebody is called unknown, somebody may have entered them.
            self._refresh_partners()
        return self._partners.find(*sender, self.program.settings.mllp.unknown_partner)

    def _check_header(self, one: Incoming) -> None:
        header = one.header
        if header is None or one.message is None:
            return
        if not header.control_id:
            raise Rejected("the message has no control id", error_code="101", location=Location("MSH", 1, 10))
        if self._partners is None:
            raise Unavailable("the database is not available: send it again later")
        if one.partner is None:
            raise Rejected("the sender is not known here", error_code="103", location=Location("MSH", 1, 3))
        if not is_let_in(one.place, one.partner):
            raise NotLetIn
        production = not self.program.settings.is_demo
        if production and header.processing_id[:1] in ("T", "D") and not one.partner.agreed("accept_test_messages"):
            raise Rejected("test messages are not taken in production", error_code="202", location=Location("MSH", 1, 11))
        if not _VERSION.match(header.version) and one.partner.agreed("unknown_version") == "refuse":
            raise Rejected("this version is not read here", error_code="203", location=Location("MSH", 1, 12))
        if (header.message_code, header.trigger_event) not in READERS:
            known = header.message_code in {code for code, _ in READERS}
            raise Unsupported("this kind of message is not read here", error_code="201" if known else "200", location=Location("MSH", 1, 9))

    # ── applying ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_group(self, group: list[Incoming]) -> None:
        """The whole group at once; when that fails, each of it alone, from the start."""
        try:
            self._in_transaction(group)
        except CommitUnknown:
            self._look_up(group)
        except Exception as error:  # noqa: BLE001 (every message is owed an answer)
            if len(group) == 1:
                self._failed(group[0], error)
                return
            log.info("a group of %d is applied one by one: %s", len(group), type(error).__name__)
            self._one_by_one(group)

    def _one_by_one(self, group: list[Incoming]) -> None:
        """Each in a transaction of its own, until one finds no database at all: the others do not wait for it once more."""
        for position, one in enumerate(group):
            self._take_group([one])
            if one.is_lost:
                for other in group[position + 1 :]:
                    other.answer = self._build(other, other.refusal or AWAY).payload
                return

    def _in_transaction(self, incoming: Sequence[Incoming]) -> None:
        for attempt in range(4):
            try:
                return self._try(incoming)
            except Exception as error:
                if attempt == 3 or not _is_worth_another_try(error, alone=len(incoming) == 1):
                    raise
        return None

    def _try(self, incoming: Sequence[Incoming]) -> None:
        group = Group(incoming)
        uow = self.program.uow(Actor("system", 0, "HL7 intake"))
        answers: list[bytes | None] = []
        try:
            with uow.session:
                _lock(uow, group)
                stored, codes = self._prefetch(uow, group)
                used = self._used_control_ids(uow, incoming)
                answers.extend(self._one(uow, one, codes, stored, used) for one in incoming)
                uow.finish()
                _commit(uow)
        finally:
            uow.session.close()
        for one, payload in zip(incoming, answers, strict=True):
            one.answer = payload

    def _prefetch(self, uow: UnitOfWork, group: Group) -> tuple[dict[Key, tuple[str, bytes]], Codes]:
        """What is already there of all that the group names, and numbers for what is not.

        Returns the answers to messages that were applied before, and the partners' codes to our procedures.
        """
        partner_ids = list({one.partner.id for one in group.incoming if one.partner}) if group.codes else []
        asked = [procedures_for(partner_id, group.codes) for partner_id in partner_ids]
        known, stored, *codes = uow.load(
            {PatientIdentifier.key: group.identifiers, Visit.key: group.visits, Order.placer_key: group.placers,
             Order.filler_number: group.fillers},
            SUBSCRIPTIONS, stored_answers({one.key for one in group.incoming if one.key}), *asked,
        )  # fmt: skip
        know_subscriptions(uow, known)
        found = [row for key in group.identifiers if (row := uow.find(PatientIdentifier.key, key))]
        uow.load_rows(Patient.id, {row.patient_id for row in found})
        uow.reserve(sum(1 for key in group.placers if uow.find(Order.placer_key, key) is None), "filler", "accession")
        return stored, dict(zip(partner_ids, codes, strict=True))

    def _used_control_ids(self, uow: UnitOfWork, incoming: Sequence[Incoming]) -> set[tuple[int, str]]:
        """Of the partners alone with whom it is agreed that each is used once."""
        strict = {one.partner.id for one in incoming if one.partner and _uses_control_ids_once(one.partner)}
        return used_control_ids(uow.session, strict, {one.control_id for one in incoming})

    def _one(
        self,
        uow: UnitOfWork,
        one: Incoming,
        codes: Codes,
        stored: dict[Key, tuple[str, bytes]],
        used: set[tuple[int, str]],
    ) -> bytes | None:
        entry = self._entry(uow, one)
        if one.key in stored:
            code, given = stored[one.key]
            journal.record(uow, entry, MessageState.repeated, ack_code=code, answer=given)
            return given or None
        if one.refusal is not None:
            return self._refuse(uow, one, entry, one.refusal)
        if one.message is None or one.partner is None or one.header is None:
            raise TypeError("a message without a refusal has been read")
        if (one.partner.id, one.control_id) in used:
            again = Rejected("this control id was used for another message", error_code="205", location=Location("MSH", 1, 10))
            return self._refuse(uow, one, entry, again)
        site_id = self._site(uow, one.partner)
        procedures = codes.get(one.partner.id, {})
        reading = Reading(one.message, one.partner, one.control_id, site_id, one.patient, one.visit, procedures, one.asked, one.observed)
        changes = uow.changes
        uow.actor = Actor("partner", one.partner.id, one.partner.name, one.place)
        uow.message_id = entry.id
        try:
            READERS[one.header.message_code, one.header.trigger_event](uow, reading)
        except RisError as error:
            if uow.changes != changes:
                raise RefusedAfterChange(error, reading) from error
            return self._refuse(uow, one, entry, error, reading)
        finally:
            uow.message_id = None
        payload, code = self._build(one, None, reading)
        journal.record(uow, entry, MessageState.applied, ack_code=code, answer=payload or b"", touched=reading.touched)
        if one.key is not None:
            stored[one.key] = (code, payload or b"")
        if _uses_control_ids_once(one.partner):
            used.add((one.partner.id, one.control_id))
        return payload

    def _site(self, uow: UnitOfWork, partner: PartnerRow) -> int:
        return partner.site_id if partner.site_id is not None else first_site(uow.session)

    def _refuse(self, uow: UnitOfWork, one: Incoming, entry: Entry, error: RisError, reading: Reading | None = None) -> bytes | None:
        payload, code = self._build(one, error, reading)
        touched = reading.touched if reading else ()
        journal.record(uow, entry, MessageState.refused, ack_code=code, answer=payload or b"", error=described(error), touched=touched)
        if isinstance(error, NotLetIn) and one.partner is not None:
            uow.message_id = entry.id
            turned_away(uow, one.place, Ref("partner", one.partner.id), error.message)
            uow.message_id = None
        for kind, about, reason, site_id in reading.refusal_tasks if reading else ():
            task.open(uow, kind, about, reason, site_id=site_id)
        return payload

    def _failed(self, one: Incoming, error: Exception) -> None:
        """A message that could not be applied alone: it changes nothing, and says why, in the journal too if that can be."""
        reading = None
        refusal: RisError
        if isinstance(error, RefusedAfterChange):
            refusal, reading = error.refusal, error.reading
        elif isinstance(error, RisError):
            refusal = error
        elif isinstance(error, OperationalError):
            refusal = AWAY
        else:
            _log_fault(one, error)
            refusal = (
                Conflict("it could not be applied: a fault of ours, or of a value in it") if isinstance(error, SQLAlchemyError) else Fault()
            )
        try:
            with self.program.uow(Actor("system", 0, "HL7 intake")) as uow:
                one.answer = self._refuse(uow, one, self._entry(uow, one), refusal, reading)
        except SQLAlchemyError as second:
            one.is_lost = True
            # Whatever is wrong with it: it is not even stored, and must come again.
            one.answer = self._build(one, AWAY).payload
            log.error("a refusal could not be journalled: %s", type(second).__name__)

    def _look_up(self, group: Sequence[Incoming]) -> None:
        """COMMIT's own answer was lost: what the journal holds went through, of the rest nothing may be said."""
        log.warning("the answer to COMMIT was lost: looking up %d messages", len(group))
        try:
            with self.program.read() as session:
                stored = stored_answers({one.key for one in group if one.key}).at(session.connection())
        except SQLAlchemyError:
            return
        for one in group:
            if one.key in stored:
                one.answer = stored[one.key][1] or None

    def _entry(self, uow: UnitOfWork, one: Incoming) -> Entry:
        return Entry(
            new_id(),
            Direction.inbound,
            one.partner.id if one.partner else None,
            uow.now,
            one.kind,
            one.control_id,
            one.raw,
            one.codec,
            one.place,
        )

    def _build(self, one: Incoming, error: RisError | None, reading: Reading | None = None) -> Answer:
        """What the sender is owed, in the form that is agreed with it."""
        header = one.header if one.header is not None else ack.header(b"")
        agreed = one.partner.policies if one.partner else {}
        if header.message_code == "ACK" and one.message and one.message.value("MSA", 2).startswith(OWN_CONTROL_ID):
            return Answer(None, "")  # An answer to an answer of ours ends the talk.
        response = order_response(reading, error) if reading and policy(agreed, "order_response") == "response" else None
        always_original = policy(agreed, "acknowledgement_mode") == "original"
        given = answer(header, error, self.program.clock(), always_original=always_original, response=response)
        if policy(agreed, "mllp_release") == 2:
            return given.with_commit(is_stored=not isinstance(error, Unavailable))
        return given


def _log_fault(one: Incoming, error: Exception) -> None:
    """Where it happened and what kind of fault it is; its text is left out, since it may quote the message."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("message %s from %s cannot be applied: %s\n%s", one.control_id, one.place, type(error).__name__, frames)


def _is_worth_another_try(error: Exception, *, alone: bool) -> bool:
    """The database asks for it; or somebody else was faster with a row, and a message alone can look again."""
    if alone and isinstance(error, RefusedAfterChange):
        return isinstance(error.refusal, Stale)
    if alone and isinstance(error, Stale | StaleDataError | IntegrityError):
        return True
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in RETRIED


def _uses_control_ids_once(partner: PartnerRow) -> bool:
    return bool(partner.agreed("control_id_reuse") == "refuse")


def _lock(uow: UnitOfWork, group: Group) -> None:
    """The first statement: a connection that was lost while it rested is found out here, when nothing has been begun on it."""
    try:
        uow.lock(*group.locks)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        uow.session.rollback()
        uow.lock(*group.locks)


def _commit(uow: UnitOfWork) -> None:
    try:
        uow.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CommitUnknown from error
        raise
