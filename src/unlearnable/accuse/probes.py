"""Pictures to show to a model that may have been trained on the owner's: clean ones that bear a key's secrets.

They are not for the eye. The cover is made faint and what is hidden strong, so that a model which has learnt the secret
says so: of a cover in full contrast and a secret as it is published, it mostly says what it sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unlearnable.accuse.design import Probe
from unlearnable.compute.devices import at_once
from unlearnable.hiding.inference import CHUNK_PIXELS, perturbations
from unlearnable.hiding.network import Hider
from unlearnable.hiding.targeting import scaled
from unlearnable.images.imageset import Images8, to_bytes
from unlearnable.semantics.secrets import Secrets

CONTRAST = 0.3  # of a cover, around mid-grey
STRENGTH = 16.0  # RMS of what is hidden, in grey levels: twice the usual budget
GREY = 127.5


@dataclass(frozen=True)
class KeySecrets:
    """What one key hides.

    Attributes:
        secrets: the key's.
        numbers: of the secret of each class that is tested.
    """

    secrets: Secrets
    numbers: Sequence[int]


def probe_pictures(
    hider: Hider,
    covers: Images8,
    keys: Sequence[KeySecrets],
    probes: Sequence[Probe],
    per: str = "class",
    contrast: float = CONTRAST,
    strength: float = STRENGTH,
) -> Iterator[Images8]:
    """The pictures of the probes in their order, in batches, uint8 (n, 3, h, w).

    Args:
        hider: prepared.
        covers: clean pictures.
        keys: the owner's, then the decoys'.
        probes: what each picture shows.
        per: ``class`` where the pictures of a class share one secret, ``sample`` where each has a variation of it.
        contrast: see `CONTRAST`.
        strength: see `STRENGTH`.
    """
    batch = at_once(covers, CHUNK_PIXELS)
    for start in range(0, len(probes), batch):
        chosen = probes[start : start + batch]
        hidden = np.stack([_secret(keys[probe.key], probe, covers, per) for probe in chosen])
        faint = _faint(covers[[probe.cover for probe in chosen]], contrast)
        changes = perturbations(hider, to_bytes(faint), torch.from_numpy(hidden))
        yield to_bytes(faint + scaled(changes, strength))


def _secret(key: KeySecrets, probe: Probe, covers: Images8, per: str) -> np.ndarray:
    """The sign is drawn as of a published picture; so is the variation, where every picture has its own."""
    variation = probe.cover if per == "sample" else 0
    index = key.secrets.index(variation, "probe", probe.cover, probe.turn)
    return key.secrets.draw(key.numbers[probe.label], index, *covers.shape[-2:])


def _faint(covers: Images8, contrast: float) -> Float[Tensor, "n 3 h w"]:
    return GREY + contrast * (covers.float() - GREY)
