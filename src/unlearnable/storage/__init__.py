"""What is kept and how: atomic files, records, checkpoints, provenance."""
