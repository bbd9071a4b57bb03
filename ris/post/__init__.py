"""The wire to mail servers: e-mails to patients over SMTP."""
