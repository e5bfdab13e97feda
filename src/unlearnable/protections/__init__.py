"""Methods that make a set of pictures unlearnable. Importing this package registers all of them."""

from unlearnable.protections import ar, cuda, deep_hiding, em, entf, lsp, noise, ops, rem, sem, tap
from unlearnable.protections.base import Protection, protection_named, protections

__all__ = [
    "Protection",
    "ar",
    "cuda",
    "deep_hiding",
    "em",
    "entf",
    "lsp",
    "noise",
    "ops",
    "protection_named",
    "protections",
    "rem",
    "sem",
    "tap",
]
