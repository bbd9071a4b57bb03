"""Every raw message in and out, of any protocol, with its answer and what it touched."""
