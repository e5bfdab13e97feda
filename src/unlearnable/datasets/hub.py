"""Any data set of pictures of the Hugging Face hub, or one that its library has saved on disk (extra ``hub``)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearnable.datasets.base import datasets
from unlearnable.images.decode import Square, square_of, stacked
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import UnreadablePhotoError, read_limited
from unlearnable.options import PositiveInt

if TYPE_CHECKING:
    from datasets import Dataset


@datasets.register("hub")
class Hub:
    """A Hugging Face data set with a column of pictures and one of class labels. No code that it brings is run.

    Attributes:
        name: on the hub, such as ``uoft-cs/cifar10``; or ``path``.
        path: folder that ``save_to_disk`` wrote.
        split: as it is called there.
        size: side in pixels; the centre is cropped.
        image: column of the pictures; the only one when left out.
        label: column of the class labels; the only one when left out.
        config: which of the data set's configurations, where it has several.
        revision: commit, tag or branch on the hub; a commit keeps what is loaded from changing.
    """

    name: str = ""
    path: str = ""
    split: str = "train"
    size: PositiveInt = 224
    image: str = ""
    label: str = ""
    config: str = ""
    revision: str = ""

    def load(self) -> ImageSet:
        """Fetch or read it, and decode every picture.

        Raises:
            ValueError: the extra is missing, columns do not match, or a picture or label cannot be used.
            FileNotFoundError: there is no such data set.
        """
        try:
            from datasets import Image
        except ImportError:
            raise ValueError("hub needs Hugging Face's library: pip install 'unlearnable[hub]'") from None
        stored = self._stored()
        image = _column(stored, "image", self.image, "Image")
        label = _column(stored, "label", self.label, "ClassLabel")
        pictures = stored.select_columns([image]).cast_column(image, Image(decode=False))

        def decode(place: int) -> Square:
            try:
                return square_of(_content(pictures[place][image]), self.size)
            except UnreadablePhotoError as unreadable:
                raise ValueError(f"picture {place} of {self.name or self.path}: {unreadable}") from None

        return ImageSet(
            stacked(decode, range(len(pictures)), self.size),
            torch.tensor(_labels(stored, label)),
            tuple(stored.features[label].names),
        )

    def _stored(self) -> "Dataset":
        from datasets import DatasetDict, load_dataset, load_from_disk

        if bool(self.name) == bool(self.path):
            raise ValueError("expected hub:name=… for a data set of the hub, or hub:path=… for one on disk")
        if self.name:
            return load_dataset(self.name, self.config or None, split=self.split, revision=self.revision or None)
        if not Path(self.path).is_dir():
            raise FileNotFoundError(f"expected the folder of a saved data set, found no {self.path}")
        stored = load_from_disk(self.path)
        if isinstance(stored, DatasetDict):
            if self.split not in stored:
                raise ValueError(f"expected a split of {self.path} ({', '.join(stored)}), got {self.split!r}")
            return stored[self.split]
        if stored.split is not None and str(stored.split) != self.split:
            raise ValueError(f"expected {stored.split} as split, the only one in {self.path}, got {self.split!r}")
        return stored


def _column(stored: "Dataset", parameter: str, chosen: str, kind: str) -> str:
    """The column that was chosen, or the only one of its kind."""
    fitting = [str(name) for name, feature in stored.features.items() if type(feature).__name__ == kind]
    if chosen in fitting:
        return chosen
    if chosen or len(fitting) != 1:
        raise ValueError(
            f"expected {parameter}= to name a column of {kind}, got {chosen or 'none'!r}; there are: "
            f"{', '.join(fitting) or 'none'} (class_encode_column makes ClassLabel of names or numbers)"
        )
    return fitting[0]


def _content(stored: dict[str, Any] | None) -> bytes:
    """The bytes of a picture file, which are in the table or beside it."""
    if not stored or not (stored["bytes"] or stored["path"]):
        raise UnreadablePhotoError("there is none")
    content: bytes | None = stored["bytes"]
    return content or read_limited(Path(stored["path"]))


def _labels(stored: "Dataset", column: str) -> list[int]:
    labels: list[int] = stored[column][:]
    if lacking := sum(label is None or label < 0 for label in labels):
        raise ValueError(f"expected a label of every picture, {lacking:,} of {len(labels):,} in this split have none")
    return labels
