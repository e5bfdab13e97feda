"""``python -m unlearnable``."""

from unlearnable.cli import run

run()
