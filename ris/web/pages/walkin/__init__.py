"""A patient who comes without an appointment: one form for order, appointment and arrival."""
