"""Life cycle of a report, with the codes that the wire has for each state."""

import enum

from ris.base.machine import Machine, Requirement, step


class ReportStatus(enum.StrEnum):
    draft = "draft"
    preliminary = "preliminary"
    in_review = "in_review"
    """A preliminary reading waits for somebody else to approve it."""
    sent_back = "sent_back"
    """Whoever was to approve it asks its author for another reading."""
    final = "final"
    addended = "addended"
    retracted = "retracted"
    """What was said does not hold; the exam is to be read again."""


class VersionKind(enum.StrEnum):
    wet_read = "wet_read"
    """A first look in a few words; nobody has interpreted the exam yet."""
    preliminary = "preliminary"
    final = "final"
    addendum = "addendum"
    retraction = "retraction"
    withdrawal = "withdrawal"
    """The signer took back what was not published yet; nobody is told."""


class Grade(enum.StrEnum):
    """How far a final reading is from the preliminary one that it approves."""

    agreed = "agreed"
    """No word was changed."""
    wording = "wording"
    minor = "minor"
    """The meaning has changed, the treatment does not."""
    major = "major"
    """The treatment may change."""


class Holding(enum.StrEnum):
    """How an unread exam came to be one person's."""

    assigned = "assigned"
    """Somebody else, or a rule, has given it."""
    reserved = "reserved"
    """The person has taken it."""


FIRST_LOOKS = (VersionKind.wet_read, VersionKind.preliminary)
"""What is told before the interpretation."""
OBR_25 = {
    VersionKind.wet_read: "R",
    VersionKind.preliminary: "P",
    VersionKind.final: "F",
    VersionKind.addendum: "C",
    VersionKind.retraction: "X",
}
"""HL7 v2.5.1 ch. 4.5.3.25, table 0123. A withdrawal is never sent."""
OBX_11 = {**OBR_25, VersionKind.retraction: "W"}
"""HL7 v2.5.1 ch. 7.4.2.11, table 0085: W posts what was sent before as wrong."""

S = ReportStatus
OWN_DRAFT = (S.draft, S.preliminary, S.retracted)
UNSIGNED = (*OWN_DRAFT, S.in_review, S.sent_back)
"""It is still to be read, or to be read again."""
HAS_TEXT = Requirement("has_text", "there is no text")
NO_OPEN_FIELD = Requirement("no_open_field", "a template field is still open")
CLAIMED = Requirement("claimed", "somebody else is reading it")
PASSWORD = Requirement("password", "the password must be given again")
REASON = Requirement("reason", "a reason must be given")
ANOTHERS = Requirement("anothers", "who submitted a reading for review cannot approve it", "somebody else with the right to sign")
OWN = Requirement("own", "only who submitted it can take it back")
GRADED = Requirement("graded", "the words differ from the preliminary reading: say how much")
SIGNED_BY_YOU = Requirement("signed_by_you", "somebody else has signed it")
NOTHING_BETTER = Requirement("nothing_better", "a reading stands already: a first look behind it says nothing")
NOTHING_PUBLISHED = Requirement("nothing_published", "something of it was published: what was said together stays together")
NOT_ALONE = Requirement("not_alone", "it is the only exam of this report")
UNPUBLISHED = Requirement("unpublished", "it is published: sign an addendum, or retract it")

REPORT = Machine(
    "report",
    S.draft,
    (
        step("save_draft", OWN_DRAFT, S.draft, CLAIMED),
        step("tell_wet_read", (S.draft, S.retracted), S.draft, CLAIMED, HAS_TEXT, NOTHING_BETTER),
        step("group", (S.draft,), S.draft, CLAIMED, NOTHING_PUBLISHED),
        step("ungroup", (S.draft,), S.draft, CLAIMED, NOTHING_PUBLISHED, NOT_ALONE),
        step("revise", (S.in_review,), S.in_review, CLAIMED, ANOTHERS),
        step("rework", (S.sent_back,), S.sent_back, CLAIMED),
        step("sign_preliminary", OWN_DRAFT, S.preliminary, CLAIMED, HAS_TEXT, NO_OPEN_FIELD),
        step("submit", (*OWN_DRAFT, S.sent_back), S.in_review, CLAIMED, HAS_TEXT, NO_OPEN_FIELD),
        step("recall", (S.in_review,), S.draft, OWN),
        step("send_back", (S.in_review,), S.sent_back, CLAIMED, ANOTHERS, REASON),
        step("sign_final", UNSIGNED, S.final, CLAIMED, ANOTHERS, HAS_TEXT, NO_OPEN_FIELD, GRADED, PASSWORD),
        step("addend", (S.final, S.addended), S.addended, HAS_TEXT, NO_OPEN_FIELD, PASSWORD),
        step("take_back", (S.final,), S.draft, SIGNED_BY_YOU, UNPUBLISHED),
        step("take_back_approval", (S.final,), S.in_review, SIGNED_BY_YOU, UNPUBLISHED),
        step("take_back_addendum", (S.addended,), S.final, SIGNED_BY_YOU, UNPUBLISHED),
        step("retract", (S.draft, S.preliminary, S.in_review, S.sent_back, S.final, S.addended), S.retracted, REASON, PASSWORD),
    ),
)
