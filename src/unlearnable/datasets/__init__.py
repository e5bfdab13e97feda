"""Data sets by name. Importing this package registers all of them."""

from unlearnable.datasets import cifar, folder, hub, imagenet, toy
from unlearnable.datasets.base import Dataset, datasets, load

__all__ = ["Dataset", "cifar", "datasets", "folder", "hub", "imagenet", "load", "toy"]
