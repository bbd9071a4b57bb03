"""What was said: reports, their versions and signatures, and when they are published."""
