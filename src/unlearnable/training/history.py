"""A training in progress: the epochs behind it, and all that one which was killed needs to go on."""

import json
from dataclasses import asdict, dataclass, field

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from unlearnable.compute.devices import generator_states, restore_generators
from unlearnable.storage.checkpoint import Checkpoint, restore, state_of
from unlearnable.storage.decode import from_json


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set.

    Attributes:
        loss: mean over the pass.
        train_accuracy: in [0, 1], on the pictures as the network saw them, augmented and attacked.
        test_accuracy: in [0, 1], after the pass, on the test set.
        recalls: the same for each class.
    """

    loss: float
    train_accuracy: float
    test_accuracy: float
    recalls: tuple[float, ...] = ()


@dataclass
class History:
    """A training in progress.

    Attributes:
        model: the network.
        optimizer: of what learns in it.
        device: on which it is trained.
        epochs: that are over, in order.
        confusion: counts of the last epoch's test, true class by predicted class.
        peak_confusion: the same of the best epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    epochs: list[Epoch] = field(default_factory=list)
    confusion: Int64[Tensor, "k k"] = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    peak_confusion: Int64[Tensor, "k k"] = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))

    def add(self, loss: float, train_accuracy: float, confusion: Int64[Tensor, "k k"]) -> Epoch:
        """An epoch is over, after which the test gave ``confusion``."""
        recalls = confusion.diagonal() / confusion.sum(1).clamp_min(1)
        epoch = Epoch(loss, train_accuracy, float(confusion.trace() / confusion.sum()), tuple(recalls.tolist()))
        if epoch.test_accuracy > max((past.test_accuracy for past in self.epochs), default=-1.0):
            self.peak_confusion = confusion
        self.confusion = confusion
        self.epochs.append(epoch)
        return epoch

    def save(self, checkpoint: Checkpoint) -> None:
        """Write all that `resume` needs: what is drawn next is decided by where the generators stand."""
        confusions = {"confusion": self.confusion, "peak_confusion": self.peak_confusion}
        state = state_of(self.model, self.optimizer) | generator_states(self.device) | confusions
        checkpoint.save(state, epochs=json.dumps([asdict(epoch) for epoch in self.epochs]))

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from what was saved, if anything was.

        Raises:
            ValueError: by another training.
        """
        saved = checkpoint.load()
        if saved is None:
            return
        restore(saved.state, self.model, self.optimizer)
        restore_generators(saved.state, self.device)
        self.confusion, self.peak_confusion = saved.state["confusion"], saved.state["peak_confusion"]
        self.epochs = from_json(saved.notes["epochs"], list[Epoch])
