"""The losses of Deep Hiding, eqs. 5 and 6, all mean-reduced so that they do not depend on size or batch."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from unlearnable.hiding.network import Pictures
from unlearnable.hiding.wavelet import haar

Loss = Float[Tensor, ""]


def hiding_loss(stego: Pictures, cover: Pictures, eps: float) -> Loss:
    """Eq. 5: max(MSE, eps^2), with ``eps`` in grey levels of 255, so it asks for nothing inside the budget.

    The maximum is taken picture by picture: the budget binds each picture, not the batch's average.
    """
    mse = (stego - cover).square().flatten(1).mean(1)
    return mse.clamp_min((eps / 255) ** 2).mean()


def low_frequency_loss(stego: Pictures, cover: Pictures) -> Loss:
    """Eq. 6, omega_1: l2 distance of the low-frequency (LL) wavelet bands. Sides must be even."""
    return F.mse_loss(haar(stego)[:, :3], haar(cover)[:, :3])


def revealing_loss(revealed: Pictures, secret: Pictures) -> Loss:
    """Eq. 6, omega_2: l2 distance of the revealed and the hidden picture."""
    return F.mse_loss(revealed, secret)
