"""Messages to patients about their appointments: what is said when, in which language, and to whom nothing may be said."""
