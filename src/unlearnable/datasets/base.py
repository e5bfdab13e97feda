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

    Raises:
        ValueError: unknown name or parameter, or the data are not what they should be.
        FileNotFoundError: the data are not there.
    """
    return datasets.make(spec).load()
