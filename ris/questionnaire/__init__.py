"""What a patient is asked on forms before an exam, in which words, what was answered, and what follows from it."""
