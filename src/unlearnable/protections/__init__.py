"""Methods that make a set of pictures unlearnable. Importing this package registers all of them."""

from unlearnable.protections import deep_hiding, em, noise, rem, sem
from unlearnable.protections.base import Protection, protection_named, protections

__all__ = ["Protection", "deep_hiding", "em", "noise", "protection_named", "protections", "rem", "sem"]
