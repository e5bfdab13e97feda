"""What is stored, and how: atomic files, typed values, records, checkpoints, provenance."""
