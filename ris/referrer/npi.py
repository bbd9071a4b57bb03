"""The National Provider Identifier: ten digits, the last a check digit."""

_ISSUER = "80840"
"""Before the ten digits, as on a health card (ISO 7812; 45 CFR 162.406)."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_npi(text: str) -> bool:
    """Whether the check digit is right."""
    if len(text) != 10 or not (text.isascii() and text.isdigit()):
        return False
    digits = [int(digit) for digit in reversed(_ISSUER + text)]
    return sum(_DOUBLED[digit] if place % 2 else digit for place, digit in enumerate(digits)) % 10 == 0
