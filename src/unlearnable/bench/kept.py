"""Sets of pictures kept in files named after their content, for other processes and for later runs.

A disk that was full or a machine that went down may have damaged one: such a file counts as missing.
"""

import json
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from unlearnable.atomic import replacing
from unlearnable.cells import fingerprint
from unlearnable.images import ImageSet
from unlearnable.stored import is_whole


@dataclass(frozen=True)
class Kept:
    """A set in a file.

    Attributes:
        file: of pixels, labels and classes; it is never changed.
        content: fingerprint of what it holds; empty where nobody knows it beforehand, and the file itself says it.
    """

    file: Path
    content: str = ""

    @property
    def whole(self) -> bool:
        """Whether the file is there and holds what it says, which is looked at once."""
        if not is_whole(self.file):
            return False
        status = self.file.stat()
        return _holds(self, status.st_mtime_ns, status.st_size)

    def load(self) -> ImageSet:
        """The set; the last few are remembered.

        Raises:
            ValueError: the file is damaged.
        """
        try:
            return _remembered(self.file)
        except SafetensorError as error:
            raise ValueError(f"{self.file} is damaged ({error}); the same command makes it again") from None

    def save(self, data: ImageSet) -> None:
        """Write it, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"images": data.images.cpu().contiguous(), "labels": data.labels.cpu()}
        with replacing(self.file) as temporary:
            notes = {"classes": json.dumps(data.classes), "fingerprint": fingerprint(data)}
            save_file(tensors, temporary, metadata=notes)


@lru_cache
def _holds(kept: Kept, changed: int, size: int) -> bool:
    """Whether the file, as it was when it was ``changed``, holds its content."""
    with safe_open(kept.file, framework="pt") as stored:
        expected = kept.content or stored.metadata().get("fingerprint")
    held = fingerprint(_read(kept.file)) == expected
    if not held:
        warnings.warn(f"{kept.file} holds another set than it says, and counts as missing", stacklevel=2)
    return held


def _read(file: Path) -> ImageSet:
    with safe_open(file, framework="pt") as stored:
        classes = json.loads(stored.metadata()["classes"])
        return ImageSet(stored.get_tensor("images"), stored.get_tensor("labels"), tuple(classes))


_remembered = lru_cache(maxsize=6)(_read)
