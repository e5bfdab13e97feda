"""Hide a semantic image in every picture, so that a network trained on the pictures learns what is hidden."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearnable.storage.provenance import __version__

if TYPE_CHECKING:
    from unlearnable.accuse.judge import judge_answers
    from unlearnable.accuse.make import make_probes
    from unlearnable.accuse.suspects import Suspect, suspect_named
    from unlearnable.audit.run import audit_folder
    from unlearnable.countermeasures import Countermeasure, countermeasure_named
    from unlearnable.datasets import load
    from unlearnable.folder.options import ProtectOptions
    from unlearnable.folder.protect import protect_folder
    from unlearnable.folder.reveal import reveal_folder
    from unlearnable.folder.verify import verify_folder
    from unlearnable.hiding.network import Hider
    from unlearnable.images.budget import Budget
    from unlearnable.images.imageset import ImageSet
    from unlearnable.keys import Key
    from unlearnable.protections import Protection, protection_named
    from unlearnable.training.loop import fit
    from unlearnable.training.recipes import Recipe, recipe_named
    from unlearnable.victims.architectures import Victim, victim_named

_HOMES = {
    "Budget": "images.budget",
    "Countermeasure": "countermeasures",
    "Hider": "hiding.network",
    "ImageSet": "images.imageset",
    "Key": "keys",
    "ProtectOptions": "folder.options",
    "Protection": "protections",
    "Recipe": "training.recipes",
    "Suspect": "accuse.suspects",
    "Victim": "victims.architectures",
    "audit_folder": "audit.run",
    "countermeasure_named": "countermeasures",
    "fit": "training.loop",
    "judge_answers": "accuse.judge",
    "load": "datasets",
    "make_probes": "accuse.make",
    "protect_folder": "folder.protect",
    "protection_named": "protections",
    "recipe_named": "training.recipes",
    "reveal_folder": "folder.reveal",
    "suspect_named": "accuse.suspects",
    "verify_folder": "folder.verify",
    "victim_named": "victims.architectures",
}

__all__ = [
    "Budget",
    "Countermeasure",
    "Hider",
    "ImageSet",
    "Key",
    "ProtectOptions",
    "Protection",
    "Recipe",
    "Suspect",
    "Victim",
    "__version__",
    "audit_folder",
    "countermeasure_named",
    "fit",
    "judge_answers",
    "load",
    "make_probes",
    "protect_folder",
    "protection_named",
    "recipe_named",
    "reveal_folder",
    "suspect_named",
    "verify_folder",
    "victim_named",
]


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that ``import unlearnable`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'unlearnable' has no attribute {name!r}")
    return getattr(import_module(f"unlearnable.{_HOMES[name]}"), name)
