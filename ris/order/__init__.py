"""What was asked: orders and their requested procedures, with accession numbers and Study Instance UIDs."""
