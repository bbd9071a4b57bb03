"""Accounts: who may log in, and with which roles at which sites."""
