"""What a data set is, and the registry in which it is found by name."""

from typing import Protocol, runtime_checkable

from unlearnable.images.imageset import ImageSet
from unlearnable.registry import Registry


@runtime_checkable
class Dataset(Protocol):
    """Something registered that can be loaded."""

    def load(self) -> ImageSet:
        """Read or make the pictures."""


datasets: Registry[Dataset] = Registry("datasets")


def load(spec: str) -> ImageSet:
    """Load a set by name: ``cifar10:root=…,split=train``, ``folder:path=…,size=32``, ``toy``.

    Returns:
        Pictures as uint8 (n, 3, h, w), labels from 0 on, and the names of the classes.

    Raises:
        ValueError: unknown name or parameter, or the data are not what they should be.
        FileNotFoundError: the data are not there.

    Examples:
        >>> from unlearnable import load
        >>> data = load("toy:count=40,size=16")  # drawn shapes; no file is needed
        >>> data.images.shape, data.classes
        (torch.Size([40, 3, 16, 16]), ('disc', 'square', 'cross', 'triangle'))
    """
    return datasets.make(spec).load()
