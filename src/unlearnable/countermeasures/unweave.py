"""An attacker who reads this tool's drawings in the published pictures, and takes their waves out.

No such paper is known to us: what the owner reads without a key (`semantics.reading`), a trainer reads, too.
"""

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from unlearnable.countermeasures.preprocess import Preprocess
from unlearnable.images.imageset import LUMA, Images8, to_bytes
from unlearnable.semantics.reading import SHOWN, read_plane, smoothed
from unlearnable.semantics.render import FOURTH, HUES, slowest_wave
from unlearnable.training.countermeasure import countermeasures

COLOURS = [np.array(hue) - np.mean(hue) for hue in (HUES[0], HUES[2])]  # red and green, yellow and blue, free of grey
PLANES = np.array([*COLOURS, LUMA])


@countermeasures.register("unweave")
class Unweave(Preprocess):
    """Find the waves that repeat over a picture, whatever their lengths, and subtract them at every place.

    The field and its lengths are looked for in three planes of colour, and the clearest is believed. Smaller pictures
    than 64 px come as they are: `notch` is for those.

    Attributes:
        test: whether the classifier's pictures are treated, too.
    """

    test: bool = False

    def transform(self, images: Images8) -> Images8:
        """One by one."""
        pictures = images.cpu().double().numpy()
        unwoven = np.stack([_unwoven(picture) for picture in pictures])
        return to_bytes(torch.from_numpy(unwoven).to(images.device))


def _unwoven(picture: Float[ndarray, "3 h w"]) -> Float[ndarray, "3 h w"]:
    readings = filter(None, (read_plane(plane, clarity=1) for plane in np.tensordot(PLANES, picture, 1)))
    reading = max(readings, key=lambda one: one.clarity, default=None)
    if reading is None:
        return picture
    _, height, width = picture.shape
    local = SHOWN * slowest_wave(height, width, FOURTH)
    strength = smoothed((picture - smoothed(picture, local)) * reading.woven, local)
    unwoven: Float[ndarray, "3 h w"] = picture - strength * reading.woven
    return unwoven
