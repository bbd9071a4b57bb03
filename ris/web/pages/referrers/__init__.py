"""Referrers: searched, completed, with their practices, joined."""
