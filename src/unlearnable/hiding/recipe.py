"""What decides a training of the hiding network."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training.

    Attributes:
        blocks, growth: the network (paper: 16, 32).
        steps: optimiser steps (paper: 5,000).
        learning_rate: Adam's (paper: 10^-4.5 = 3.2e-5, constant).
        final_rate: the fraction of it that a cosine reaches at the end; 1 keeps it constant.
        warmup: steps over which the rate rises from zero.
        clip: largest norm of the gradient.
        eps: the budget of eq. 5, RMS in grey levels.
        hiding, low_frequency, revealing: weights of the losses (paper: 1, 1, 1; with mean-reduced losses a
            weight of 1 lets the network buy revealing quality with any amount of budget).
        sizes: crop sides in pixels, one drawn a step (paper: 224).
        pixels: pixels of covers in a step; the batch is this over the crop's area (paper: 24 x 224^2).
        seed: of crops, secrets, noise and initial weights.
    """

    blocks: int = 4
    growth: int = 24
    steps: int = 3200
    learning_rate: float = 1e-3
    final_rate: float = 0.02
    warmup: int = 100
    clip: float = 1.0
    eps: float = 8.0
    hiding: float = 20.0
    low_frequency: float = 1.0
    revealing: float = 1.0
    sizes: tuple[int, ...] = (32, 64, 128, 224)
    pixels: int = 8 * 64 * 64
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then a cosine down to ``final_rate``."""
        rising = min(1.0, (step + 1) / self.warmup)
        falling = (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.learning_rate * rising * (self.final_rate + (1 - self.final_rate) * falling)
