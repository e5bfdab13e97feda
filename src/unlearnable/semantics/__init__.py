"""Semantic images: the secrets that are hidden."""
