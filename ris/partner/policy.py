"""What is agreed with a partner, by name; what is not agreed has the default."""

from typing import Any, NamedTuple

from ris.base.errors import Invalid


class Policy(NamedTuple):
    default: Any
    meaning: str
    choices: tuple[Any, ...]
    """What may be agreed; empty: any value of the default's type."""


POLICIES = {
    "order_owns_demographics": Policy(False, "Whether an order's PID changes a known patient; by default only ADT does.", (False, True)),
    "change_of_unknown_order": Policy(
        "place", "What ORC-1 XO, XX and RP do for an order that we do not know: place or refuse.", ("place", "refuse")
    ),
    "missing_placer_number": Policy(
        "refuse", "What an order without placer and filler number does: refuse, or place.", ("refuse", "place")
    ),
    "accept_test_messages": Policy(False, "Whether MSH-11 T and D are applied in production.", (False, True)),
    "control_id_reuse": Policy(
        "accept", "What an MSH-10 that was applied before does with other bytes: accept or refuse.", ("accept", "refuse")
    ),
    "unknown_version": Policy("accept", "What an MSH-12 outside 2.1 to 2.9 does: accept or refuse.", ("accept", "refuse")),
    "message_for_merged_patient": Policy(
        "redirect", "What a message does that names a merged patient: redirect to the survivor, or refuse.", ("redirect", "refuse")
    ),
    "acknowledgement_mode": Policy(
        "by_message",
        "by_message: as MSH-15 and MSH-16 ask. original: always one AA, AE or AR, for a sender that fills them and expects that.",
        ("by_message", "original"),
    ),
    "order_response": Policy(
        "acknowledge",
        "How orders are answered: acknowledge with a bare ACK, or with a response (ORR, ORG, ORI).",
        ("acknowledge", "response"),
    ),
}
DEFAULTS: dict[str, Any] = {name: policy.default for name, policy in POLICIES.items()}


def policy(policies: dict[str, Any], name: str) -> Any:
    """The agreed value. Raises KeyError for a name that nobody reads."""
    return policies.get(name, DEFAULTS[name])


def check(policies: dict[str, Any]) -> None:
    """Raises Invalid for a name that nobody reads and for a value that means nothing."""
    for name, value in policies.items():
        known = POLICIES.get(name)
        if known is None:
            raise Invalid(f"policies: there is no {name}", error_code="103")
        if type(value) is not type(known.default) or (known.choices and value not in known.choices):
            wanted = ", ".join(str(choice).lower() for choice in known.choices) or type(known.default).__name__
            raise Invalid(f"policies: {name} is one of {wanted}", error_code="103")
