"""Logging in and out, the own password, the working site, and where the browser reports a breach of policy."""
