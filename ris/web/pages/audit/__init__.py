"""The privacy officer's page over the audit trail."""
