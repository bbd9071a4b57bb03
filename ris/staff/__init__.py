"""The people who work here: accounts, roles, rights per site, sessions."""
