"""What trainers do against a protection. Importing this package registers all of them."""

from unlearnable.countermeasures import (
    augment,
    avatar,
    bridge,
    clean_pictures,
    dvae,
    early_stopping,
    inverse,
    orthogonal,
    preprocess,
    pretrained,
    reveal,
    simclr,
    ueraser,
)
from unlearnable.training import adversarial
from unlearnable.training.countermeasure import (
    Chain,
    Countermeasure,
    Knowledge,
    countermeasure_named,
    countermeasures,
)

__all__ = [
    "Chain",
    "Countermeasure",
    "Knowledge",
    "adversarial",
    "augment",
    "avatar",
    "bridge",
    "clean_pictures",
    "countermeasure_named",
    "countermeasures",
    "dvae",
    "early_stopping",
    "inverse",
    "orthogonal",
    "preprocess",
    "pretrained",
    "reveal",
    "simclr",
    "ueraser",
]
