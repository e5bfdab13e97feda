"""Hide a semantic image in every picture, so that a network trained on the pictures learns what is hidden."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearnable.version import __version__

if TYPE_CHECKING:
    from unlearnable.budget import Budget
    from unlearnable.folder.protect import protect_folder
    from unlearnable.folder.reveal import reveal_folder
    from unlearnable.folder.verify import verify_folder
    from unlearnable.hiding.network import Hider
    from unlearnable.images import ImageSet, load
    from unlearnable.keys import Key
    from unlearnable.protections import Protection, protections

_HOMES = {
    "Budget": "budget",
    "Hider": "hiding.network",
    "ImageSet": "images",
    "Key": "keys",
    "Protection": "protections",
    "load": "images",
    "protect_folder": "folder.protect",
    "protections": "protections",
    "reveal_folder": "folder.reveal",
    "verify_folder": "folder.verify",
}

__all__ = [
    "Budget",
    "Hider",
    "ImageSet",
    "Key",
    "Protection",
    "__version__",
    "load",
    "protect_folder",
    "protections",
    "reveal_folder",
    "verify_folder",
]


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that ``import unlearnable`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unlearnable' has no attribute {name!r}")
    return getattr(import_module(f"unlearnable.{_HOMES[name]}"), name)
