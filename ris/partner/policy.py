"""What is agreed with a partner, by name; what is not agreed has the default."""

from typing import Any

DEFAULTS: dict[str, Any] = {
    "order_owns_demographics": False,
    "change_of_unknown_order": "place",
    "missing_placer_number": "refuse",
    "accept_test_messages": False,
    "control_id_reuse": "accept",
    "unknown_version": "accept",
}
MEANING = {
    "order_owns_demographics": "Whether an order's PID changes a known patient; by default only ADT does.",
    "change_of_unknown_order": "What ORC-1 XO does for an order that we do not know: place or refuse.",
    "missing_placer_number": "What an order without placer and filler number does: refuse, or place.",
    "accept_test_messages": "Whether MSH-11 T and D are applied in production.",
    "control_id_reuse": "What an MSH-10 that was applied before does with other bytes: accept or refuse.",
    "unknown_version": "What an MSH-12 outside 2.1 to 2.9 does: accept or refuse.",
}


def policy(policies: dict[str, Any], name: str) -> Any:
    """The agreed value. Raises KeyError for a name that nobody reads."""
    return policies.get(name, DEFAULTS[name])
