"""What every floor stands on: storage, the unit of work, errors, states, time, money, pointers; no word of radiology."""
