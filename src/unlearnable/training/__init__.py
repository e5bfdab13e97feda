"""One training: the loop, what it reads, and the hooks of what trainers do against a protection."""
