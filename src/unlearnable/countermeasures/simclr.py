"""Contrastive pretraining without labels, then a linear probe (SimCLR, Chen et al., ICML 2020, arXiv 2002.05709)."""

from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import DivergedError, fast
from unlearnable.images.imageset import Images, Images8, ImageSet
from unlearnable.options import PositiveFloat, PositiveInt
from unlearnable.training.countermeasure import Countermeasure, countermeasures
from unlearnable.training.crops import resized_crop, split_batches
from unlearnable.victims.features import Frozen, evaluating, network_of, penultimate

STRENGTH = 0.5  # of the changes of colour, the authors' for CIFAR-10
WIDTH = 128  # of what is compared


@countermeasures.register("simclr")
class SimClr(Countermeasure):
    """Teach the victim that two views of a published picture are one; then its last layer alone learns the labels.

    A shortcut is learnt by its labels, which the first part does not see. Adam in place of the authors' LARS, which is
    for batches of thousands.

    Attributes:
        epochs: of the pretraining; each takes about as long as three of ordinary training (authors: 1000).
        batch_size: at most so many pictures, with two views of each (authors: 256 to 8192).
        temperature: of NT-Xent, eq. 1 (authors: 0.5 on CIFAR-10).
        learning_rate: of Adam, at the beginning; it falls to zero as a cosine.
        weight_decay: of Adam (authors: 1e-6).
    """

    epochs: PositiveInt = 50
    batch_size: Annotated[int, Ge(2)] = 256
    temperature: PositiveFloat = 0.5
    learning_rate: PositiveFloat = 1e-3
    weight_decay: PositiveFloat = 1e-6

    @property
    def effort_before(self) -> float:
        """Two views through the network, and the views have to be made."""
        return 3.0 * self.epochs

    def prepare(self, model: nn.Module, data: ImageSet) -> nn.Module:
        """Pretrain the network, whatever weights it has, and freeze all but its last layer.

        Raises:
            DivergedError: the loss became infinite or undefined.
        """
        network: nn.Module = network_of(model).requires_grad_(True)
        device = data.images.device
        with torch.inference_mode(), evaluating(network):
            channels = penultimate(network, data.images[:1].float() / 255).shape[1]
        head = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, WIDTH)).to(device)
        learning = [parameter for module in (network, head) for parameter in module.parameters()]
        optimizer = torch.optim.Adam(learning, lr=self.learning_rate, weight_decay=self.weight_decay)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)
        network.train()
        for epoch in range(self.epochs):
            for batch in split_batches(torch.randperm(len(data), device=device), self.batch_size):
                pictures = data.images[batch]
                both = torch.cat([view(pictures), view(pictures)]).contiguous(memory_format=torch.channels_last)
                with fast(device):
                    compared = head(penultimate(network, both))
                loss = nt_xent(compared.float(), self.temperature)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            decay.step()
            if not loss.isfinite():
                raise DivergedError(f"the contrastive loss is not finite after epoch {epoch + 1}; try a smaller step")
        return Frozen(network)


def view(images: Images8) -> Images:
    """Each picture as the authors change it (appendix A): a crop, its mirror image, other colours, or none.

    They blur pictures of ImageNet, too, and those of CIFAR-10 not.
    """
    from kornia.augmentation import AugmentationSequential, ColorJitter, RandomGrayscale

    change = 0.8 * STRENGTH
    colours = AugmentationSequential(
        ColorJitter(change, change, change, 0.2 * STRENGTH, p=0.8), RandomGrayscale(p=0.2), data_keys=["input"]
    )
    changed: Tensor = colours(resized_crop(images))
    return changed.clamp(0, 1)


def nt_xent(compared: Float[Tensor, "m c"], temperature: float) -> Float[Tensor, ""]:
    """Eq. 1, the mean over all views: the first half of them are of the same pictures as the second, in order."""
    unit = F.normalize(compared, dim=1)
    similar = unit @ unit.T / temperature
    similar = similar.masked_fill(torch.eye(len(unit), dtype=torch.bool, device=unit.device), float("-inf"))
    partner = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return F.cross_entropy(similar, partner)
