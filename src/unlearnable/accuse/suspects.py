"""Models that can be asked on this machine: a classifier of this package's or of timm, an ONNX file, any function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearnable.accuse.answers import Answers
from unlearnable.accuse.onnx_models import onnx_model
from unlearnable.accuse.sealed import PICTURES, Sealed
from unlearnable.compute.devices import best_device, fast
from unlearnable.images.decode import square, stacked
from unlearnable.images.imageset import Images8
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.trained import load_trained

AT_ONCE = 64  # pictures
ONNX = ".onnx"


@dataclass(frozen=True)
class Suspect:
    """A model that answers.

    Attributes:
        side: of the square pictures that it takes, in pixels.
        answer: from uint8 pictures (n, 3, side, side) to a number for every answer, or a label for every picture.
        names: of the answers, where it knows them; else they are numbered from 0.

    Examples:
        >>> import torch
        >>> from unlearnable import Suspect
        >>> suspect = Suspect(32, lambda pictures: pictures.float().mean((1, 2, 3)) > 128, ("dark", "bright"))
        >>> suspect.answer(torch.full((2, 3, 32, 32), 200, dtype=torch.uint8)).tolist()
        [True, True]
    """

    side: int
    answer: Callable[[Images8], Any]
    names: tuple[str, ...] = ()

    def ask(self, folder: Path, sealed: Sealed, on_stage: Callable[[str, int, int], None] | None = None) -> Answers:
        """Its answers to the probes of a folder, in the order of the record: each cut to a square and resized.

        Raises:
            ValueError: it answers with something else than numbers or labels, one for every picture.
        """
        sealed.check_pictures(folder)
        outputs: list[Any] = []
        for start in range(0, len(sealed.files), AT_ONCE):
            files = [folder / PICTURES / file for file in sealed.files[start : start + AT_ONCE]]
            outputs.append(self.answer(stacked(lambda file: square(file, self.side), files, self.side)))
            if on_stage:
                on_stage("asking", start + len(files), len(sealed.files))
        return self._answers(outputs, len(sealed.files))

    def _answers(self, outputs: Sequence[Any], count: int) -> Answers:
        rows = np.concatenate([np.asarray(output) for output in outputs])
        if len(rows) != count or rows.ndim > 2:
            raise ValueError(f"expected an answer to each of {count} pictures, got an array of shape {rows.shape}")
        if rows.ndim == 1:
            labels = [str(label) for label in rows.tolist()]
            named = dict(zip(map(str, range(len(self.names))), self.names, strict=True))
            return Answers.of_labels([named.get(label, label) for label in labels])
        names = self.names or tuple(map(str, range(rows.shape[1])))
        if len(names) != rows.shape[1]:
            raise ValueError(
                f"expected {len(names)} numbers for every picture, as there are classes, got {rows.shape[1]}"
            )
        return Answers.of_numbers(names, rows.astype(np.float64))


def suspect_named(
    spec: str,
    side: int | None = None,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    device: torch.device | None = None,
) -> Suspect:
    """A model by its file.

    Args:
        spec: ``FILE.onnx``; or ``VICTIM@FILE``, a victim's or timm's name and its weights as safetensors, such as
            ``resnet9@model.safetensors`` of `unlearnable fit`.
        side: of the pictures that it takes; needed where the file does not fix it.
        mean: of an ONNX model, subtracted from values between 0 and 1: one number, or one for each colour.
        std: the same, by which the rest is divided.
        device: of a victim; the best one when None.

    Raises:
        FileNotFoundError: there is no such file, or the extra ``onnx`` is not installed.
        ValueError: it is no such model, or its side is not known.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import suspect_named, victim_named
        >>> from unlearnable.victims.features import save_weights
        >>> model = victim_named("resnet9:width=2").build(classes=2, size=32)
        >>> save_weights(model, Path("model.safetensors"), classes=("cat", "dog"))
        >>> suspect = suspect_named("resnet9:width=2@model.safetensors", side=32)
        >>> suspect.side, suspect.names
        (32, ('cat', 'dog'))
    """
    name, _, file = spec.rpartition("@")
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"expected a model FILE.onnx, or VICTIM@FILE with weights as safetensors, got {spec}")
    if path.suffix.lower() == ONNX:
        return Suspect(*onnx_model(path, side, np.array(mean, np.float32), np.array(std, np.float32)))
    if (*mean, *std) != (0.0, 1.0):
        raise ValueError(f"expected --mean and --std of an ONNX model alone: {name or file} has its own")
    if not name:
        raise ValueError(f"expected the network before its weights, such as resnet9@{file}, got {spec}")
    if not side:
        raise ValueError("expected the side in pixels of the pictures that the model takes; name --size")
    model, names = load_trained(victim_named(name), path, side)
    return of_victim(model, side, names, device)


def of_victim(model: nn.Module, side: int, names: Sequence[str] = (), device: torch.device | None = None) -> Suspect:
    """A trained network of this package or of timm, which takes pictures in [0, 1].

    Args:
        model: the network.
        side: of the pictures in pixels.
        names: of its classes.
        device: where to compute; the best one when None.
    """
    device = device or best_device()
    model = model.to(device).eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def answer(pictures: Images8) -> Any:
        unit = (pictures.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        with fast(device):
            logits = model(unit)
        return logits.float().cpu().numpy()

    return Suspect(side, answer, tuple(names))
