"""What decides the pictures of a bank: for Python, the command line and ``bank.json``."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from unlearnable.options import Generator
from unlearnable.semantics.prompts import TFIDF
from unlearnable.semantics.render import MAX_CLASSES

MIN_SIZE, MAX_SIZE = 16, 2048


@dataclass(frozen=True)
class BankOptions:
    """Options of `build_bank`.

    Attributes:
        generator: ``diffusion``, ``stylise`` (redrawn photographs), ``photo`` (different photographs as they are, no
            generation: `prompts.photographs`) or ``render`` (drawings, without captions).
        classes: how many.
        per_class: how many pictures of each.
        captions: file of `read_captions`.
        images: folder of their photographs.
        embedder: ``tfidf``, or the folder or hub id of a CLIP model.
        clustering: choose captions of distinct clusters; otherwise random ones.
        clusters: how many; four a class when None.
        seed: of everything.
        size: side of the pictures in px.
        diffusion: folder or hub id of Stable Diffusion, for the generator of this name.
        controlnet: folder or hub id of its ControlNet for Canny edges.
        steps: of denoising (20 in ControlNet's own example).
        guidance: weight of the prompt (diffusers' default).

    Raises:
        ValueError: they do not fit each other.
    """

    generator: Generator
    classes: int
    per_class: int
    captions: str | Path | None = None
    images: str | Path | None = None
    embedder: str = TFIDF
    clustering: bool = True
    clusters: int | None = None
    seed: int = 0
    size: int = 512
    diffusion: str | None = None
    controlnet: str | None = None
    steps: int = 20
    guidance: float = 7.5

    def __post_init__(self) -> None:
        if self.generator not in get_args(Generator):
            raise ValueError(f"expected a generator among {', '.join(get_args(Generator))}, got {self.generator!r}")
        if not 1 <= self.classes <= MAX_CLASSES or self.per_class < 1 or not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ValueError(
                f"expected 1 to {MAX_CLASSES} classes, 1 picture a class or more and a size from {MIN_SIZE} to "
                f"{MAX_SIZE} px, got {self.classes}, {self.per_class} and {self.size}"
            )
        if self.seed < 0 or self.steps < 1 or not math.isfinite(self.guidance):
            raise ValueError(
                "expected a seed of 0 or more, 1 step of denoising or more and a finite guidance, got "
                f"{self.seed}, {self.steps} and {self.guidance}"
            )
        given = [option is not None for option in (self.captions, self.images)]
        if self.generator == "render" and any(given):
            raise ValueError("render draws from the seed alone; leave --captions and --images out")
        if self.generator != "render" and not all(given):
            raise ValueError(f"{self.generator} needs --captions and --images")
        if self.clusters is not None and not self.clustering:
            raise ValueError("--clusters needs --clustering")
        models = [model is not None for model in (self.diffusion, self.controlnet)]
        if models != [self.generator == "diffusion"] * 2:
            raise ValueError(
                "--diffusion and --controlnet name the two models of --generator diffusion, and of no other"
            )

    @property
    def networks(self) -> dict[str, Any]:
        """Parameters of `Diffusion`, where that draws."""
        names = ("diffusion", "controlnet", "steps", "guidance") if self.generator == "diffusion" else ()
        return {name: getattr(self, name) for name in names}

    def recorded(self, without_picture: int | None) -> dict[str, Any]:
        """As ``bank.json`` keeps them.

        Args:
            without_picture: how many captions had no photograph; None where there are no captions.
        """
        options = {name: getattr(self, name) for name in ("classes", "per_class", "seed", "size")}
        if self.captions is not None:
            options["captions"] = hashlib.sha256(Path(self.captions).read_bytes()).hexdigest()
            options["without_picture"] = without_picture
            options |= {name: getattr(self, name) for name in ("embedder", "clustering", "clusters")}
        return options | self.networks
