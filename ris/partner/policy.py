"""What is agreed with a partner, by name; what is not agreed has the default."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any, NamedTuple

from ris.base.errors import Invalid


class Policy(NamedTuple):
    default: Any
    meaning: str
    choices: tuple[Any, ...] = ()
    """What may be agreed; empty: any value of the default's type."""
    refuse: Callable[[Any], str] = lambda _: ""
    """Says what is wrong with a value; nothing with a right one."""


FIELD = re.compile(r"[A-Z][A-Z0-9]{2}-\d{1,3}(\.\d{1,2})?")
"""A field of a segment, with a component or without: OBR-20, ORC-3.1."""


def _refuse_place(value: str) -> str:
    return "" if FIELD.fullmatch(value) else "is a field such as OBR-20 or ORC-3.1"


def _refuse_port(value: int) -> str:
    return "" if 0 <= value <= 65535 else "is from 1 to 65535, or 0 for none of its own"


def _refuse_addresses(value: str) -> str:
    for address in value.split():
        try:
            ip_network(address, strict=False)
        except ValueError:
            return f"{address} is no address and no network"
    return ""


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
    "mllp_release": Policy(
        1, "2: each message is also answered by the commit block of MLLP Release 2, before its acknowledgements.", (1, 2)
    ),
    "order_response": Policy(
        "acknowledge",
        "How orders are answered: acknowledge with a bare ACK, or with a response (ORR, ORG, ORI).",
        ("acknowledge", "response"),
    ),
    "report_from_outside": Policy(
        "draft", "What a report in ORU becomes: draft of the exam, where nobody's words stand yet, or a task.", ("draft", "task")
    ),
    "accession_place": Policy("OBR-18", "Where the sender's accession number stands; IPC-1 where that is empty.", refuse=_refuse_place),
    "accession_owner": Policy(
        "us", "us: we number every exam. partner: the sender's accession number is ours too, where no other exam has it.", ("us", "partner")
    ),
    "port": Policy(0, "A port of its own: what comes in by it is this partner's, whatever MSH-3 and MSH-4 say.", refuse=_refuse_port),
    "addresses": Policy("", "Addresses and networks that it may send from, parted by blanks; anybody without.", refuse=_refuse_addresses),
    "certificate_name": Policy("", "Common name or DNS name that its client certificate must prove; none without."),
}
DEFAULTS: dict[str, Any] = {name: policy.default for name, policy in POLICIES.items()}


def label(name: str) -> str:
    """What a policy is called on pages."""
    text = name.replace("_", " ")
    return f"MLLP{text[4:]}" if text.startswith("mllp") else text.capitalize()


def policy(policies: Mapping[str, Any], name: str) -> Any:
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
        if wrong := known.refuse(value):
            raise Invalid(f"policies: {name} {wrong}", error_code="103")


def read(name: str, text: str) -> Any:
    """The value of a policy that somebody typed. Raises Invalid."""
    known = POLICIES.get(name)
    if known is None:
        raise Invalid(f"policies: there is no {name}", error_code="103")
    if isinstance(known.default, bool):
        value: Any = {"true": True, "false": False}.get(text.lower(), text)
    elif isinstance(known.default, int):
        value = int(text) if text.isdigit() else text
    else:
        value = text
    check({name: value})
    return value
