"""What a person must do: why, about what, until when."""
