"""The losses of Deep Hiding, eqs. 5 to 7; those of pictures are means, so that they do not depend on size or batch."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from unlearnable.hiding.masking import coloured, luma
from unlearnable.hiding.wavelet import haar
from unlearnable.images.imageset import Images

Loss = Float[Tensor, ""]
Features = Float[Tensor, "n d"]


def hiding_loss(stego: Images, cover: Images, eps: float) -> Loss:
    """Eq. 5: max(MSE, eps^2), with ``eps`` in grey levels of 255, so it asks for nothing inside the budget.

    The maximum is taken picture by picture: the budget binds each picture, not the batch's average.
    """
    mse = (stego - cover).square().flatten(1).mean(1)
    return mse.clamp_min((eps / 255) ** 2).mean()


def low_frequency_loss(stego: Images, cover: Images) -> Loss:
    """Eq. 6, omega_1: l2 distance of the low-frequency (LL) wavelet bands. Sides must be even."""
    return F.mse_loss(haar(stego)[:, :3], haar(cover)[:, :3])


def revealing_loss(revealed: Images, secret: Images) -> Loss:
    """Eq. 6, omega_2: l2 distance of the revealed and the hidden picture."""
    return F.mse_loss(revealed, secret)


def surviving_loss(left: Images, secret: Images, eps: float) -> Loss:
    """How much of the budget does not show the secret after a countermeasure (not in the paper).

    Args:
        left: the published picture less the cover, both after the same countermeasure.
        secret: what was hidden, or what of it has to be seen.
        eps: budget, RMS in grey levels; 0 is reached where what is left is the secret itself at that size.
    """
    shape = secret - secret.mean((2, 3), keepdim=True)
    shape = shape / shape.square().flatten(1).mean(1).sqrt().clamp_min(1e-3)[:, None, None, None]
    shown = (left * shape).flatten(1).mean(1) * 255 / eps
    lacking: Loss = (1 - shown).clamp_min(0).mean()
    return lacking


def semantic_loss(seen: Features, own: Features, hidden: Features) -> Loss:
    """How much nearer a backbone finds published pictures to their covers than to what is hidden (not in the paper).

    Args:
        seen: features of published pictures, of their covers and of their secrets; cosines are taken over what differs
            from the mean of all covers, as all pictures have much in common.
        own: of the covers.
        hidden: of the secrets.
    """
    mean = own.mean(0)
    loss: Loss = (F.cosine_similarity(seen - mean, own - mean) - F.cosine_similarity(seen - mean, hidden - mean)).mean()
    return loss


def waves_in_planes(secret: Images, longest: float) -> Images:
    """A secret's light and dark waves of up to ``longest`` px, in the colours that its size hides them in."""
    plane, side = luma(secret), 2 * (round(longest) // 2) + 1
    waves = plane - F.avg_pool2d(plane, side, stride=1, padding=side // 2, count_include_pad=False)
    return coloured(torch.cat([waves, waves, torch.zeros_like(waves)], 1))


def concentration_loss(features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> Loss:
    """Eq. 7: the sum, over all ordered pairs of the same class, of the cosine distance of their features.

    In closed form, O(n): the cosines of all pairs of a class add up to the squared length of the sum of its unit
    features. The sum grows with the batch, and with the square of how many share a class: so does what omega_3 means.
    A product of matrices adds them up, which is the same at every repetition, on CUDA too: nothing is scattered.
    """
    unit = F.normalize(features, dim=1)
    members = (labels.unique()[:, None] == labels).to(unit.dtype)  # a row a class
    distance: Loss = members.sum(1).square().sum() - (members @ unit).square().sum()
    return distance
