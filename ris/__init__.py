"""A radiology information system: an order is asked, planned, done, said and charged."""
