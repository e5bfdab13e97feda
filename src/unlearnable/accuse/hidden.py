"""The test of a folder in whose pictures secrets are hidden: the owner's and decoys' in the same clean pictures."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from unlearnable.accuse.covers import Covers
from unlearnable.accuse.design import Extent, decoy_keys, drawn
from unlearnable.accuse.drawn import Drawn
from unlearnable.accuse.ownership import Ownership
from unlearnable.accuse.probes import CONTRAST, STRENGTH, probe_pictures
from unlearnable.hiding.inference import prepare


def draw_secrets(
    owned: Ownership,
    clean: Path,
    queries: int,
    level: float,
    seed: bytes,
    originals: Path | None,
    device: torch.device | None,
    on_stage: Callable[[str, int, int], None],
) -> Drawn:
    """Every key's secrets in clean pictures of other classes; see `accuse.make.make_probes`."""
    extent = Extent.within(queries, level, len(owned.classes))
    classes, rng = owned.classes[: extent.classes], np.random.default_rng(list(seed))
    waves = owned.waves(originals)
    on_stage("reading clean pictures", 0, 1)
    covers = Covers.draw(clean, owned.published, classes, extent.turns, owned.size, rng)
    on_stage("reading clean pictures", 1, 1)
    keys = owned.keys(classes, decoy_keys(seed, extent.decoys), waves, partial(on_stage, "dealing decoys"))
    probes = drawn(extent, covers.places, rng)
    return Drawn(
        shown="secrets",
        classes=classes,
        numbers=[list(of_key.numbers) for of_key in keys],
        contrast=CONTRAST,
        strength=STRENGTH,
        covers=covers,
        probes=[(probe, place) for place, probe in enumerate(probes)],
        pictures=probe_pictures(prepare(owned.hider, device), covers.images, keys, probes, owned.report.options["per"]),
        count=len(probes),
    )
