"""What helps to write a report: templates and what is merged into them, and the checks of a text before it is signed."""
