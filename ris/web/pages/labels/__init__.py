"""Labels and wristbands of an exam."""
