"""Where in a picture a trained classifier looks (paper, Figure 2).

Grad-CAM: Selvaraju et al., ICCV 2017, arXiv 1610.02391.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.figures.base import (
    Drawing,
    Figure,
    Panel,
    Record,
    channels_last,
    correlation,
    figures,
    in_turn,
    unit,
)
from unlearnable.figures.layout import Scale, Tile, draw_grid
from unlearnable.images.imageset import LUMA, ImageSet
from unlearnable.options import PositiveInt
from unlearnable.victims.features import network_of

COLOURS = "inferno"  # even to the eye and to the colour-blind; the paper's is a rainbow
FIRST = {"test": "test picture", "published": "clean picture"}  # what a row shows before its maps
PICTURE = 0.45  # of what is drawn; the rest is the map


@dataclass(frozen=True)
class Attention:
    """What a classifier answers, and where it looks for that.

    Attributes:
        maps: in [0, 1], the most important place 1; all 0 where nothing speaks for the answer.
        answers: class indices.
        confidences: the softmax's probabilities of these.
    """

    maps: Float[Tensor, "n h w"]
    answers: Int64[Tensor, " n"]
    confidences: Float[Tensor, " n"]


@figures.register("gradcam")
class GradCam(Figure):
    """Grad-CAM of the answered class: a row a picture, a column a training.

    Its numbers: for each picture and training the class, the answer and its confidence, and Pearson's correlation of
    the map with that of the first training of all (``likeness``) and of the first one on the same protection
    (``kept``). That attention is led elsewhere than by clean pictures (paper, section 3.3) is a likeness near 0 where
    the first training is on clean ones; that it is led to the same places "after most countermeasures", a ``kept``
    near 1.

    Attributes:
        pictures: how many, of different classes as far as there are.
        on: ``test`` pictures, or the ``published`` ones, as in the paper.
    """

    pictures: PositiveInt = 6
    on: Literal["test", "published"] = "test"

    @property
    def trains(self) -> bool:
        """It shows what was learnt."""
        return True

    def draw(self, panels: Sequence[Panel]) -> Drawing:
        """Overlay the maps on what each model was shown, in grey."""
        plain = panels[0].test if self.on == "test" else panels[0].clean
        places = in_turn(plain.labels, self.pictures)
        shown = [self._shown(panel)[places] for panel in panels]
        seen = [
            class_activation_maps(panel.trained, unit(data.images)) for panel, data in zip(panels, shown, strict=True)
        ]
        own = {panel.protection: attention.maps for panel, attention in reversed(list(zip(panels, seen, strict=True)))}
        pictures = channels_last(plain.images[places])
        overlays = [overlay(channels_last(data.images), maps.maps) for data, maps in zip(shown, seen, strict=True)]
        rows: list[tuple[str, list[Tile]]] = []
        numbers: list[Record] = []
        for row, label in enumerate(plain.labels[places].tolist()):
            truth, tiles = plain.classes[label], [Tile(pictures[row])]
            for panel, attention, drawn in zip(panels, seen, overlays, strict=True):
                answer, confidence = plain.classes[int(attention.answers[row])], float(attention.confidences[row])
                mark = "✓" if answer == truth else "✗"
                tiles.append(Tile(drawn[row], f"{mark} {answer} {100 * confidence:.0f}\u00a0%"))
                numbers.append(
                    {
                        "protection": panel.protection,
                        "countermeasure": panel.countermeasure,
                        "picture": int(places[row]),
                        "truth": truth,
                        "answer": answer,
                        "confidence": round(confidence, 4),
                        "likeness": _likeness(attention.maps[row], seen[0].maps[row]),
                        "kept": _likeness(attention.maps[row], own[panel.protection][row]),
                    }
                )
            rows.append((truth, tiles))
        title = f"Grad-CAM on {self.on} pictures: what each training looks at for its answer"
        scale = Scale(COLOURS, "does not matter", "matters most for the answer (✓ right, ✗ wrong)")
        columns = [FIRST[self.on], *(panel.name for panel in panels)]
        return Drawing(draw_grid(title, columns, rows, scale), tuple(numbers))

    def _shown(self, panel: Panel) -> ImageSet:
        return panel.test if self.on == "test" else panel.protected


def _likeness(one: Float[Tensor, "h w"], other: Float[Tensor, "h w"]) -> float:
    return round(correlation(one.numpy(), other.numpy()), 4)


def class_activation_maps(model: nn.Module, images: Float[Tensor, "n 3 h w"]) -> Attention:
    """Grad-CAM for the class that ``model`` answers, without hooks; answered on the CPU.

    A convolutional network is seen at its last features, a transformer at its last tokens.

    Args:
        model: a victim, on any device.
        images: in [0, 1].

    Raises:
        ValueError: the model cannot be taken apart into features and head, or no place has a part in its answer.
    """
    network = network_of(model).eval()
    if not hasattr(network, "forward_features") or not hasattr(network, "forward_head"):
        raise ValueError(
            f"expected a victim with forward_features and forward_head, as timm's have; got {type(network).__name__}"
        )
    with torch.no_grad():
        features = network.forward_features(images.to(next(network.parameters()).device))
    with torch.enable_grad():
        logits = network.forward_head(features.requires_grad_())
        confidences, answers = logits.softmax(1).max(1)
        (gradients,) = torch.autograd.grad(logits.gather(1, answers[:, None]).sum(), features)
    places, slopes = (on_grid(network, tensor) for tensor in (features.detach(), gradients))
    if not slopes.any():
        raise ValueError(
            f"no place of the picture has a part in the answers of {type(network).__name__}: it reads its class token "
            "alone; take a victim that averages its tokens (global_pool=avg), as vit does"
        )
    weights = slopes.mean((1, 2), keepdim=True)  # eq. 1
    coarse = (weights * places).sum(3).relu()  # eq. 2
    maps = F.interpolate(coarse[:, None], images.shape[-2:], mode="bilinear")[:, 0]
    largest = maps.amax((1, 2), keepdim=True)
    return Attention((maps / largest.where(largest > 0, 1)).cpu(), answers.cpu(), confidences.detach().cpu())


def on_grid(network: Any, features: Tensor) -> Float[Tensor, "n h w c"]:
    """What ``forward_features`` answers, by its place in the picture: tokens in rows, those of no place left out.

    Raises:
        ValueError: it is no grid.
    """
    if features.ndim == 4:
        last = str(getattr(network, "output_fmt", "NCHW")) == "NHWC"
        return features if last else features.permute(0, 2, 3, 1)
    tokens = features[:, getattr(network, "num_prefix_tokens", 0) :]
    side = isqrt(tokens.shape[1])
    if features.ndim != 3 or side**2 != tokens.shape[1]:
        raise ValueError(
            f"expected features or tokens in a square from {type(network).__name__}, got {tuple(features.shape)}"
        )
    return tokens.reshape(len(tokens), side, side, -1)


def overlay(pictures: UInt8[ndarray, "n h w 3"], maps: Float[Tensor, "n h w"]) -> UInt8[ndarray, "n h w 3"]:
    """Maps in colours over their pictures in grey."""
    from matplotlib import colormaps

    colours = 255 * colormaps[COLOURS](maps.numpy())[..., :3]
    blended = PICTURE * (pictures @ np.array(LUMA))[..., None] + (1 - PICTURE) * colours
    drawn: UInt8[ndarray, "n h w 3"] = np.rint(blended).astype(np.uint8)
    return drawn
