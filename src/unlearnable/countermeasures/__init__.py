"""What trainers do against a protection. Importing this package registers all of them."""

from unlearnable.countermeasures import (
    adversarial,
    augment,
    backbone,
    clean_pictures,
    inverse,
    orthogonal,
    preprocess,
    reveal,
    schedule,
    ueraser,
)
from unlearnable.countermeasures.base import (
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
    "backbone",
    "clean_pictures",
    "countermeasure_named",
    "countermeasures",
    "inverse",
    "orthogonal",
    "preprocess",
    "reveal",
    "schedule",
    "ueraser",
]
