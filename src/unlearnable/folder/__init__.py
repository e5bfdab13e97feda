"""The folder job: protect, verify and reveal a folder of pictures."""
