"""Life cycle of a report, with the codes that the wire has for each state."""

import enum

from ris.base.machine import Machine, Requirement, step


class ReportStatus(enum.StrEnum):
    draft = "draft"
    preliminary = "preliminary"
    final = "final"
    addended = "addended"


class VersionKind(enum.StrEnum):
    preliminary = "preliminary"
    final = "final"
    addendum = "addendum"


OBR_25 = {VersionKind.preliminary: "P", VersionKind.final: "F", VersionKind.addendum: "C"}
"""HL7 v2.5.1 ch. 4.5.3.25, table 0123; OBX-11 (table 0085) says the same."""

S = ReportStatus
HAS_TEXT = Requirement("has_text", "there is no text")
NO_OPEN_FIELD = Requirement("no_open_field", "a template field is still open")
CLAIMED = Requirement("claimed", "somebody else is reading it")
PASSWORD = Requirement("password", "the password must be given again")

REPORT = Machine(
    "report",
    S.draft,
    (
        step("save_draft", (S.draft, S.preliminary), S.draft, CLAIMED),
        step("sign_preliminary", (S.draft, S.preliminary), S.preliminary, CLAIMED, HAS_TEXT, NO_OPEN_FIELD),
        step("sign_final", (S.draft, S.preliminary), S.final, CLAIMED, HAS_TEXT, NO_OPEN_FIELD, PASSWORD),
        step("addend", (S.final, S.addended), S.addended, HAS_TEXT, NO_OPEN_FIELD, PASSWORD),
    ),
)
