"""``python -m unlearnable``."""

from unlearnable.cli import app

app()
