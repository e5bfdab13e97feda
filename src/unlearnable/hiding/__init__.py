"""Deep hiding: an invertible network that hides one picture inside another."""
