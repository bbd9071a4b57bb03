"""The catalogue: what the department offers, edited one by one."""
