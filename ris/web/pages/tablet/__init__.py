"""The tablet of a waiting patient: forms one question at a time, without a way to anything else."""
