"""What decides a training of the hiding network, and plans that keep it in a file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearnable.hiding.surrogates import SURROGATES
from unlearnable.options import (
    NonNegativeFloat,
    PositiveFloat,
    PositiveGreyLevels,
    PositiveInt,
    Seed,
    Share,
    UnitInterval,
)
from unlearnable.registry import check_fields
from unlearnable.semantics.render import FIRST, STYLES
from unlearnable.storage.decode import decode, expecting, from_yaml


@dataclass(frozen=True)
class HiderConfig:
    """Everything that decides a training.

    Attributes:
        start: folder or hub id of a `Hider` with whose weights to begin; empty for random ones.
        blocks, growth: the network (paper: 16, 32).
        steps: optimiser steps (paper: 5,000).
        learning_rate: Adam's (paper: 10^-4.5 = 3.2e-5, constant).
        final_rate: the fraction of it that a cosine reaches at the end; 1 keeps it constant.
        warmup: steps over which the rate rises from zero.
        clip: largest norm of the gradient.
        eps: the budget of eq. 5, RMS in grey levels.
        hiding, low_frequency, revealing: weights of the losses (paper: 1, 1, 1; with mean-reduced losses a
            hiding weight of 1 lets the network buy revealing quality with any amount of budget, and
            low_frequency, where nothing weighs more, drives what is hidden into the finest wavelet band, which JPEG
            wipes out).
        sizes: crop sides in pixels, one drawn a step (paper: 224).
        pixels: pixels of covers in a step; the batch is this over the crop's area (paper: 24 x 224^2).
        per_class: pictures of a batch that share their secret's class; more than one for eq. 7, which has nothing to
            concentrate in a batch of strangers. No class comes again before all others have.
        concentration: weight omega_3 of eq. 7 (paper: 1e-4).
        extractor: network whose features are concentrated, as `hiding.extractor` reads it.
        semantic: weight of how alike frozen backbones find the published picture and its cover, less how alike they find
            it and its secret (paper: none).
        backbones: those, joined by ``+``, as `hiding.surrogates` names them.
        mask: put the perturbation where the cover is busy (paper: no).
        planes: hide in light and dark, yellow and blue, red and green, each in its share (paper: in red, green, blue).
        drawings: version of the drawings that are hidden where secrets are drawn (`semantics.render.STYLES`).
        pictured: how often, where drawings and pictures of folders are hidden, it is pictures (paper: always).
        published: reveal from the picture as it is published, in the budget and rounded (paper: from floats).
        surviving: weight of what of the budget does not show the secret after a countermeasure (paper: none).
        weakest: the least part of the change with which a picture of 224 px is published (smaller ones with more), as a
            visibility limit may leave no more (paper: all of it).
        distorted: how often such a picture is revealed only after a countermeasure (paper: never).
        seed: of crops, secrets, noise and initial weights.
    """

    start: str = ""
    blocks: PositiveInt = 4
    growth: PositiveInt = 24
    steps: PositiveInt = 5000
    learning_rate: PositiveFloat = 1e-3
    final_rate: UnitInterval = 0.02
    warmup: PositiveInt = 100
    clip: PositiveFloat = 1.0
    eps: PositiveGreyLevels = 8.0
    hiding: NonNegativeFloat = 20.0
    low_frequency: NonNegativeFloat = 0.0
    revealing: NonNegativeFloat = 6.0
    sizes: tuple[int, ...] = (32, 64, 128, 224)
    pixels: PositiveInt = 8 * 64 * 64
    per_class: PositiveInt = 1
    concentration: NonNegativeFloat = 0.0
    extractor: str = ""
    semantic: NonNegativeFloat = 0.0
    backbones: str = "+".join(SURROGATES)
    mask: bool = True
    planes: bool = False
    drawings: int = FIRST.version
    pictured: UnitInterval = 0.25
    published: bool = True
    distorted: UnitInterval = 0.85
    weakest: Share = 1.0
    surviving: NonNegativeFloat = 0.1
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.sizes or min(self.sizes) < 2 or any(size % 2 for size in self.sizes):
            raise ValueError(f"expected even sizes of at least 2 px, got {self.sizes}")
        if self.drawings not in STYLES:
            raise ValueError(f"expected drawings of version {' or '.join(map(str, STYLES))}, got {self.drawings}")
        if self.concentration and (self.per_class < 2 or not self.extractor):
            raise ValueError("concentration needs per_class of at least 2, and an extractor")

    @classmethod
    def read(cls, plan: str | Path | None, changes: Sequence[str] = ()) -> "HiderConfig":
        """The configuration of a plan, a YAML file of these attributes; ``changes``, as ``steps=100``, go before it.

        Raises:
            FileNotFoundError: there is no such plan.
            ValueError: it is not YAML, or has an unknown name, or a value of another type.
        """
        content: dict[str, Any] = {}
        if plan:
            with expecting("a configuration of the hiding network", Path(plan)):
                content = from_yaml(Path(plan).read_text())
                decode(content, cls)
        for change in changes:
            content |= from_yaml(change.replace("=", ": ", 1), f"--set {change}")
        config: HiderConfig = decode(content, cls)
        return config

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then a cosine down to ``final_rate``."""
        rising = min(1.0, (step + 1) / self.warmup)
        falling = (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.learning_rate * rising * (self.final_rate + (1 - self.final_rate) * falling)
