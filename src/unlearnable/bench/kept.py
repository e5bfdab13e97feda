"""Sets of pictures kept in files named after their content, for other processes and for later runs."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from unlearnable.atomic import replacing
from unlearnable.images import ImageSet


@dataclass(frozen=True)
class Kept:
    """A set in a file.

    Attributes:
        file: of pixels, labels and classes; it is never changed.
    """

    file: Path

    def load(self) -> ImageSet:
        """The set; the last few are remembered."""
        return _load(self.file)

    def save(self, data: ImageSet) -> None:
        """Write it, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"images": data.images.cpu().contiguous(), "labels": data.labels.cpu()}
        with replacing(self.file) as temporary:
            save_file(tensors, temporary, metadata={"classes": json.dumps(data.classes)})


@lru_cache(maxsize=6)
def _load(file: Path) -> ImageSet:
    with safe_open(file, framework="pt") as stored:
        classes = json.loads(stored.metadata()["classes"])
        return ImageSet(stored.get_tensor("images"), stored.get_tensor("labels"), tuple(classes))
