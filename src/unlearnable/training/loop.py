"""Train a victim on a set of pictures and test it on clean ones: an ordinary loop, kept fast.

Pictures live on the device as 8-bit tensors; what a countermeasure does to a picture once is done once for the whole
set; crop and flip are batched and drawn for every picture; networks compute in bf16 and channels last.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from unlearnable.compute.devices import DivergedError, at_once, best_device, fast, seeded
from unlearnable.images.imageset import Images8, ImageSet
from unlearnable.storage.checkpoint import Checkpoint
from unlearnable.training.countermeasure import Countermeasure, Knowledge
from unlearnable.training.crops import random_crop, split_batches
from unlearnable.training.history import Epoch, History
from unlearnable.training.recipes import Recipe
from unlearnable.victims.architectures import Victim
from unlearnable.victims.features import intake_of


@dataclass(frozen=True)
class Fit:
    """A training.

    Attributes:
        model: the trained network, in evaluation mode.
        epochs: in order.
        confusion: counts of the last epoch's test, true class by predicted class.
        peak_confusion: the same of the best epoch.
        seconds: of the whole training, purification and tests included.
    """

    model: nn.Module
    epochs: tuple[Epoch, ...]
    confusion: Int64[Tensor, "k k"]
    peak_confusion: Int64[Tensor, "k k"]
    seconds: float

    @property
    def final(self) -> float:
        """Test accuracy of the last epoch, in [0, 1]."""
        return self.epochs[-1].test_accuracy

    @property
    def peak(self) -> float:
        """Test accuracy of the best epoch: what a trainer gets who stops at the right moment."""
        return max(epoch.test_accuracy for epoch in self.epochs)


def fit(
    victim: Victim,
    train: ImageSet,
    test: ImageSet,
    countermeasure: Countermeasure,
    recipe: Recipe,
    seed: int = 0,
    *,
    clean: ImageSet | None = None,
    purify: bool = True,
    device: torch.device | None = None,
    checkpoint: Checkpoint | None = None,
    on_epoch: Callable[[int, int, Epoch], None] | None = None,
) -> Fit:
    """Train ``victim`` on ``train`` with ``countermeasure`` by ``recipe``.

    On a CPU the same seed and number of threads give the same result. On CUDA cuDNN is told to be deterministic; a
    network with operations of other libraries that are not (overlapping pooling, fused attention) may still differ.

    Args:
        victim: what to train.
        train: the published pictures.
        test: clean pictures of the same classes, never trained on.
        countermeasure: what the trainer does beyond the recipe.
        recipe: epochs, batches, step size.
        seed: of the weights, the order and everything drawn.
        clean: clean pictures that the trainer holds; some countermeasures need them.
        purify: whether ``train`` has still to be purified; False for a caller who keeps what he has purified.
        device: where; CUDA where there is one when None.
        checkpoint: of this very training, which it goes on from; it comes to the same as one that was never killed.
        on_epoch: called after each epoch with its number from 1, how many there are, and what came out.

    Raises:
        ValueError: the sets do not fit each other, the countermeasure lacks something or cannot train this victim, or
            the checkpoint is of another training.
        DivergedError: the loss became infinite or undefined.

    Examples:
        >>> from unlearnable import countermeasure_named, fit, load, recipe_named, victim_named
        >>> train, test = load("toy:count=64"), load("toy:count=40,seed=1")
        >>> how = countermeasure_named("gray"), recipe_named("quick:epochs=2")
        >>> trained = fit(victim_named("resnet9:width=2"), train, test, *how)
        >>> len(trained.epochs), 0 <= trained.final <= trained.peak <= 1, int(trained.confusion.sum())
        (2, True, 40)
    """
    published = train if purify else test  # a countermeasure may have brought a purified set to another size
    for what, other in {"test set": test, "set of clean pictures": clean or test}.items():
        if train.classes != other.classes or published.images.shape[1:] != other.images.shape[1:]:
            raise ValueError(
                f"expected a {what} with the training set's classes and size, {len(train.classes)} and "
                f"{published.images.shape[-1]} px; got {len(other.classes)} and {other.images.shape[-1]} px"
            )
    start = time.perf_counter()
    device = device or best_device()
    recipe = countermeasure.recipe_to_train(recipe, published)
    with seeded(seed, device):
        data = train.to(device)
        if purify:
            data = countermeasure.purify(data, Knowledge(clean and clean.to(device), seed))
        if len(data) < 2:
            raise ValueError(f"expected at least 2 pictures to train on, got {len(data)}")
        model = countermeasure.victim_to_train(victim).build(len(train.classes), data.images.shape[-1])
        model = countermeasure.prepare(model.to(device).to(memory_format=torch.channels_last), data)
        deployed = replace(test.to(device), images=countermeasure.deploy(test.images.to(device)))
        if deployed.images.shape[1:] != data.images.shape[1:]:
            raise ValueError(
                f"expected test pictures as large as those trained on, {data.images.shape[-1]} px, got "
                f"{deployed.images.shape[-1]} px: what changes the size must do so for both"
            )
        history = History(model, recipe.optimizer(model), device)
        if checkpoint:
            history.resume(checkpoint)
        for number in range(len(history.epochs), recipe.epochs):
            solved = countermeasure.solve(model, data)
            loss, accuracy = solved or train_epoch(model, history.optimizer, data, countermeasure, recipe, number)
            epoch = history.add(loss, accuracy, confusion_matrix(model, deployed))
            if checkpoint and checkpoint.due:
                history.save(checkpoint)
            if on_epoch:
                on_epoch(number + 1, recipe.epochs, epoch)
    seconds = checkpoint.seconds if checkpoint else time.perf_counter() - start
    return Fit(model.eval(), tuple(history.epochs), history.confusion, history.peak_confusion, seconds)


@torch.inference_mode()
def confusion_matrix(model: nn.Module, data: ImageSet) -> Int64[Tensor, "k k"]:
    """How often each class (rows) is taken for each (columns); on the CPU."""
    model.eval()
    classes = len(data.classes)
    batches = data.images.split(at_once(data.images, side=intake_of(model).side))
    predicted = torch.cat([_logits(model, _unit(images)).argmax(1) for images in batches])
    counts = torch.bincount(data.labels * classes + predicted, minlength=classes**2)
    return counts.view(classes, classes).cpu()


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: ImageSet,
    countermeasure: Countermeasure,
    recipe: Recipe,
    epoch: int,
) -> tuple[float, float]:
    """One pass over ``data``, the ``epoch``-th from 0: mean loss and training accuracy.

    Raises:
        DivergedError: the loss became infinite or undefined.
    """
    device, classes = data.images.device, len(data.classes)
    batches = split_batches(torch.randperm(len(data), device=device), recipe.batch_size)
    model.train()
    loss_sum = torch.zeros((), device=device)
    right = torch.zeros((), device=device)
    for index, batch in enumerate(batches):
        progress = (epoch * len(batches) + index + 0.5) / (recipe.epochs * len(batches))
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * recipe.rate(progress)
        labels = data.labels[batch]
        images, targets = countermeasure.augment(random_crop(data.images[batch]), F.one_hot(labels, classes).float())
        with fast(device):
            loss, logits = countermeasure.loss(
                model, images.contiguous(memory_format=torch.channels_last), targets, recipe.label_smoothing
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(batch)
        right += (logits.detach().argmax(1) == labels).sum()
    if not loss_sum.isfinite():
        raise DivergedError(f"the loss is not finite after epoch {epoch + 1}; try a smaller learning rate")
    return loss_sum.item() / len(data), right.item() / len(data)


def _logits(model: nn.Module, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k"]:
    with fast(images.device):
        logits: Tensor = model(images)
    return logits


def _unit(images: Images8) -> Float[Tensor, "n 3 h w"]:
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)
