"""Orders at the desk: entered, corrected, held and cancelled."""
