"""What stands in an e-mail: nothing clinical where others read it, the right hour through the nights of the clock change."""

from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest

from ris.base.errors import Invalid
from ris.bootstrap import Ris
from ris.notice import letter, texts
from ris.notice.calendar import Entry, calendar
from ris.notice.language import packaged
from ris.notice.letter import Appointment, Letter, Sender
from ris.notice.model import NoticeKind
from ris.notice.quiet import after_quiet, reminder_at
from tests.factories.hospital import Hospital

NEW_YORK = "America/New_York"
SENDER = Sender("Main hospital", NEW_YORK, "radiology@main.example", "Radiology", "", "217 555 0100", "1 Main Street; door 3, left")
WRITTEN = [(code, kind) for code in packaged() for kind in NoticeKind]
EXAM = Appointment(
    7, 3, datetime(2026, 11, 30, 15, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC), "MRI of the prostate", "Nothing to eat."
)


def written(code: str, kind: NoticeKind, **other: object) -> Letter:
    values = {"stop": "https://ris.example/stop-mail/x", "now": datetime(2026, 11, 23, tzinfo=UTC), **other}
    return letter.write("7-0", kind, packaged()[code].texts[kind], code, SENDER, "anna@example.org", "Anna Meadow", [EXAM], **values)


def wall(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)


@pytest.mark.parametrize(("code", "kind"), WRITTEN)
def test_nothing_of_the_exam_or_the_patient_stands_in_a_subject_a_file_name_or_a_calendar(code: str, kind: NoticeKind) -> None:
    message = message_from_bytes(written(code, kind).payload, policy=policy.default)
    heads = " ".join(str(value) for name, value in message.items() if name not in ("To", "From"))
    files = list(message.iter_attachments())
    shown = heads + " ".join(f"{part.get_filename()} {part.get_content()}" for part in files)
    for word in ("MRI", "prostate", "Nothing to eat", "Meadow", "Anna "):
        assert word not in shown, word
    body = message.get_body(("plain",)).get_content()
    assert "MRI of the prostate" in body
    assert ("Nothing to eat." in body) is (kind is not NoticeKind.cancellation)
    assert "{" not in str(message["Subject"]) + body
    assert [part.get_filename() for part in files] == ["appointment.ics"]
    assert files[0].get_content_type() == "text/calendar"
    assert files[0].get_param("method") == ("CANCEL" if kind is NoticeKind.cancellation else "REQUEST")


@pytest.fixture
def engine_name() -> str:
    return "sqlite"


FAULTS = (
    ("Your MRI", "{appointments} {stop}", "take out mri"),
    ("Ultrasound on {date}", "{appointments} {stop}", "take out ultrasound"),
    ("Your X-ray", "{appointments} {stop}", "take out xray"),
    ("Your chest", "{appointments} {stop}", "take out chest"),
    ("Hello {patient}", "{appointments} {stop}", "the subject has no gap {patient}"),
    ("Hello", "{appointment} {stop}", "the text has no gap {appointment}"),
    ("Hello", "{appointments} {stop", "brace that belongs to no gap"),
    ("Hello", "{appointments}", "the text needs {stop}"),
    ("Hello\r\nBcc: all@example.org", "{appointments} {stop}", "one line"),
)


def test_a_text_that_would_tell_too_much_or_lacks_something_is_refused_and_every_packaged_one_passes(ris: Ris, hospital: Hospital) -> None:
    with ris.read() as session:
        for code, kind in WRITTEN:
            known = packaged()[code].texts[kind]
            texts.check(session, known.subject, known.body)
        for subject, body, fault in FAULTS:
            with pytest.raises(Invalid) as refused:
                texts.check(session, subject, body)
            assert fault in refused.value.message


@pytest.mark.parametrize(
    ("starts_at", "hours", "due_at"),
    [
        (wall(2026, 11, 2, 10), 24, wall(2026, 11, 1, 10)),
        (wall(2027, 3, 14, 10), 24, wall(2027, 3, 13, 10)),
        (wall(2027, 3, 15, 2, 30), 24, wall(2027, 3, 14, 3, 30)),
    ],
    ids=["after the autumn change", "after the spring change", "an hour that is left out"],
)
def test_a_reminder_keeps_the_hour_through_the_nights_of_the_clock_change(starts_at: datetime, hours: int, due_at: datetime) -> None:
    assert reminder_at(starts_at, NEW_YORK, hours) == due_at


@pytest.mark.parametrize(
    ("moment", "leaves_at"),
    [
        (wall(2026, 11, 23, 19, 59), wall(2026, 11, 23, 19, 59)),
        (wall(2026, 11, 23, 20), wall(2026, 11, 24, 8)),
        (wall(2026, 11, 24, 7, 59), wall(2026, 11, 24, 8)),
        (wall(2026, 10, 31, 23), wall(2026, 11, 1, 8)),
        (wall(2027, 3, 13, 23), wall(2027, 3, 14, 8)),
    ],
)
def test_quiet_hours_are_those_of_the_wall_clock(moment: datetime, leaves_at: datetime) -> None:
    assert after_quiet(moment, NEW_YORK, time(20), time(8)) == leaves_at
    assert after_quiet(moment, NEW_YORK, None, None) == moment


@pytest.mark.parametrize(
    ("starts_at", "offsets"),
    [(wall(2026, 11, 2, 10), {"-0500"}), (wall(2026, 7, 1, 10), {"-0400"})],
    ids=["winter", "summer"],
)
def test_the_calendar_carries_the_offsets_that_hold_on_the_day(starts_at: datetime, offsets: set[str]) -> None:
    ends_at = starts_at + timedelta(minutes=30)
    entry = Entry(7, 2, starts_at, ends_at, NEW_YORK, "Appointment", "door 3, left", "a@b.example", 'X "Y"', "c@d.example")
    file = calendar(entry, now=starts_at, cancels=False)
    assert f"DTSTART;TZID={NEW_YORK}:{starts_at.astimezone(ZoneInfo(NEW_YORK)):%Y%m%dT%H%M%S}" in file
    rules = [part.partition("END:")[0] for part in file.replace("BEGIN:DAYLIGHT", "BEGIN:STANDARD").split("BEGIN:STANDARD")[1:]]
    begins = {_value(rule, "DTSTART"): _value(rule, "TZOFFSETTO") for rule in rules}
    own = f"{starts_at.astimezone(ZoneInfo(NEW_YORK)):%Y%m%dT%H%M%S}"
    assert begins[max(begin for begin in begins if begin <= own)] in offsets
    assert "LOCATION:door 3\\, left\r\n" in file
    assert 'ORGANIZER;CN="X  Y ":mailto:a@b.example\r\n' in file
    assert all(len(line.encode()) <= 75 for line in file.split("\r\n"))


def _value(rule: str, name: str) -> str:
    return next(line.partition(":")[2] for line in rule.split("\r\n") if line.startswith(name))
