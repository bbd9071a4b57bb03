"""The rules that bookings are held to: the list, and one rule with its history."""
