"""What learns: networks by name, and their features."""
