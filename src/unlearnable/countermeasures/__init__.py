"""What trainers do against a protection. Importing this package registers all of them."""

from unlearnable.countermeasures import (
    augment,
    avatar,
    bridge,
    clean_pictures,
    coin,
    covariance,
    dvae,
    early_stopping,
    inverse,
    orthogonal,
    preprocess,
    pretrained,
    probe,
    reveal,
    route,
    simclr,
    spectrum,
    ueraser,
    unweave,
)
from unlearnable.training import adversarial
from unlearnable.training.chain import Chain, countermeasure_named
from unlearnable.training.countermeasure import Countermeasure, Knowledge, countermeasures

__all__ = [
    "Chain",
    "Countermeasure",
    "Knowledge",
    "adversarial",
    "augment",
    "avatar",
    "bridge",
    "clean_pictures",
    "coin",
    "countermeasure_named",
    "countermeasures",
    "covariance",
    "dvae",
    "early_stopping",
    "inverse",
    "orthogonal",
    "preprocess",
    "pretrained",
    "probe",
    "reveal",
    "route",
    "simclr",
    "spectrum",
    "ueraser",
    "unweave",
]
