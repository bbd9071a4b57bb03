"""The forms of an exam at the desk and in the room: what is needed, filled, corrected and cleared up."""
