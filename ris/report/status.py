"""Life cycle of a report, with the codes that the wire has for each state."""

import enum

from ris.base.machine import Machine, Requirement, step


class ReportStatus(enum.StrEnum):
    draft = "draft"
    preliminary = "preliminary"
    final = "final"
    addended = "addended"
    retracted = "retracted"
    """What was said does not hold; the exam is to be read again."""


class VersionKind(enum.StrEnum):
    preliminary = "preliminary"
    final = "final"
    addendum = "addendum"
    retraction = "retraction"


OBR_25 = {VersionKind.preliminary: "P", VersionKind.final: "F", VersionKind.addendum: "C", VersionKind.retraction: "X"}
"""HL7 v2.5.1 ch. 4.5.3.25, table 0123."""
OBX_11 = {**OBR_25, VersionKind.retraction: "W"}
"""HL7 v2.5.1 ch. 7.4.2.11, table 0085: W posts what was sent before as wrong."""

S = ReportStatus
UNSIGNED = (S.draft, S.preliminary, S.retracted)
"""It is still to be read, or to be read again."""
HAS_TEXT = Requirement("has_text", "there is no text")
NO_OPEN_FIELD = Requirement("no_open_field", "a template field is still open")
CLAIMED = Requirement("claimed", "somebody else is reading it")
PASSWORD = Requirement("password", "the password must be given again")
REASON = Requirement("reason", "a reason must be given")

REPORT = Machine(
    "report",
    S.draft,
    (
        step("save_draft", UNSIGNED, S.draft, CLAIMED),
        step("sign_preliminary", UNSIGNED, S.preliminary, CLAIMED, HAS_TEXT, NO_OPEN_FIELD),
        step("sign_final", UNSIGNED, S.final, CLAIMED, HAS_TEXT, NO_OPEN_FIELD, PASSWORD),
        step("addend", (S.final, S.addended), S.addended, HAS_TEXT, NO_OPEN_FIELD, PASSWORD),
        step("retract", (S.preliminary, S.final, S.addended), S.retracted, REASON, PASSWORD),
    ),
)
