"""Leaked pairs: published pictures whose originals the trainer holds, found by what they look like."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from unlearnable.images.imageset import Images8, ImageSet

THUMBNAIL = 16  # px; reduced so far, a picture and its published copy hardly differ
APART = 2.0  # the copy is so many times as near as the next picture of the class
FARTHEST = 32.0  # grey levels RMS between the two, reduced
CHUNK = 1024


def leaked_pairs(data: ImageSet, clean: ImageSet, count: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """So many published pictures in all, and their originals.

    The published copy of a clean picture is the picture of its label that is nearest to it, where no other is nearly as
    near. Their order is drawn; pairs that differ come first, since from the others there is nothing to learn.

    Raises:
        ValueError: there are not so many.
    """
    found = [_copies(data, clean, label) for label in range(len(data.classes))]
    copies, originals = (torch.cat(indices) for indices in zip(*found, strict=True))
    if len(copies) < count:
        raise ValueError(
            f"expected {count} leaked pairs, found the published copies of only {len(copies)} of the trainer's "
            f"{len(clean)} clean pictures: too few pairs; give the originals as his clean pictures, or take fewer pairs"
        )
    order = torch.randperm(len(copies), generator=torch.Generator().manual_seed(seed)).to(copies.device)
    copies, originals = copies[order], originals[order]
    pairs = zip(data.images[copies], clean.images[originals], strict=True)
    same = torch.tensor([torch.equal(*pair) for pair in pairs], device=copies.device)
    chosen = same.sort(stable=True).indices[:count]
    return data[copies[chosen]], clean[originals[chosen]]


def _copies(data: ImageSet, clean: ImageSet, label: int) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " m"]]:
    """Indices of the pictures of a class that are copies, and of what they are copies of."""
    published, own = (torch.nonzero(part.labels == label)[:, 0] for part in (data, clean))
    if not len(published) or not len(own):
        return published[:0], own[:0]
    thumbnails = _thumbnails(data.images[published])
    distances = thumbnails.shape[1] ** -0.5
    nearest = [
        (torch.cdist(_thumbnails(clean.images[chunk]), thumbnails) * distances).topk(
            min(2, len(published)), largest=False
        )
        for chunk in own.split(CHUNK)
    ]
    values, indices = torch.cat([two.values for two in nearest]), torch.cat([two.indices for two in nearest])
    found = (values[:, 0] <= FARTHEST) & ((values[:, 0] * APART <= values[:, -1]) | (values.shape[1] == 1))
    return published[indices[found, 0]], own[found]


def _thumbnails(images: Images8) -> Float[Tensor, "n pixels"]:
    return torch.cat([F.adaptive_avg_pool2d(chunk.float(), THUMBNAIL).flatten(1) for chunk in images.split(CHUNK)])
