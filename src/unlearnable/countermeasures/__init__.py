"""What trainers do against a protection. Importing this package registers all of them."""

from unlearnable.countermeasures import (
    augment,
    clean_pictures,
    early_stopping,
    inverse,
    orthogonal,
    preprocess,
    pretrained,
    probe,
    reveal,
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
    "clean_pictures",
    "countermeasure_named",
    "countermeasures",
    "early_stopping",
    "inverse",
    "orthogonal",
    "preprocess",
    "pretrained",
    "probe",
    "reveal",
    "ueraser",
]
