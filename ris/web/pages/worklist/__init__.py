"""Every worklist on one page."""
