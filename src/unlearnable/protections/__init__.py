"""Methods that make a set of pictures unlearnable. Importing this package registers all of them."""

from unlearnable.protections import deep_hiding, entf, noise, tap
from unlearnable.protections.base import Protection, protection_named, protections

__all__ = ["Protection", "deep_hiding", "entf", "noise", "protection_named", "protections", "tap"]
