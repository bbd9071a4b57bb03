"""What a rule says: what speaks against an exam, who the other party is, and three ways out."""

import hashlib
from dataclasses import dataclass
from datetime import date

from ris.base.errors import Conflict, NotAllowedNow
from ris.base.ref import Ref
from ris.scheduling.rules.model import Severity


@dataclass(frozen=True, slots=True)
class Way:
    """One way out, in words; `to` or `day` names the page on which it begins."""

    text: str
    to: Ref | None = None
    day: date | None = None
    """A day of the schedule."""


@dataclass(frozen=True, slots=True)
class Objection:
    """What a kind of rule finds in the facts."""

    text: str
    ways: tuple[Way, Way, Way]
    other: Ref | None = None
    """The exam or appointment that stands against it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An objection together with the rule that makes it."""

    rule_id: int
    rule_version: int
    rule: str
    severity: Severity
    override: str
    text: str
    ways: tuple[Way, Way, Way]
    other: Ref | None = None

    @property
    def key(self) -> str:
        """The same for the same words of the same rule: what was answered is not asked again, what has changed is."""
        return hashlib.sha256(f"{self.rule_id}|{self.severity}|{self.text}".encode()).hexdigest()[:16]

    @property
    def blocks(self) -> bool:
        return self.severity is Severity.block


class AgainstRules(Conflict):
    """Rules speak against it, and not every one of them was answered; the text names the rules, `findings` says what they found."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        names = list(dict.fromkeys(finding.rule for finding in findings))
        super().__init__(f"this needs a reason: {'; '.join(names)}")
        self.findings = findings


class OnHold(AgainstRules, NotAllowedNow):
    """The order is on hold: nobody has a right to book it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(findings)
        self.message = f"cannot schedule the exam: {'; '.join(finding.text for finding in findings)}"
        self.missing = tuple(finding.text for finding in findings)
