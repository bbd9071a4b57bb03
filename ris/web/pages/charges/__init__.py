"""Charges by state: what is held and why, and releasing it with a code, a price and a reason."""
