"""What is planned: appointments, who and what they occupy, opening hours, free slots."""
