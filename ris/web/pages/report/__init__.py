"""Reading an exam: the editor, the signed text, the versions and what was said before."""
