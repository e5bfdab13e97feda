"""Protections that are optimised over the whole set, step by step: progress, checkpoints, one way to resume."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from unlearnable.compute.devices import DivergedError, best_device, fastest_dtype, seeded
from unlearnable.images.imageset import ImageSet, fingerprint
from unlearnable.protections.base import Protection
from unlearnable.registry import identity
from unlearnable.storage.checkpoint import Checkpoint, State
from unlearnable.storage.provenance import __version__, file_fingerprint


@dataclass(frozen=True)
class OptimisationStep:
    """One step of an optimisation.

    Attributes:
        done: steps so far, of at most ``steps``.
        loss: what the step reported.
    """

    done: int
    steps: int
    loss: float


class Optimisation(ABC):
    """An optimisation in progress.

    Whatever a step draws, it draws from torch's own generators, which are seeded before each step by its number: a
    resumed optimisation goes on exactly as an uninterrupted one.

    Attributes:
        steps: at most so many.
        done: so many so far; kept by `run`.
    """

    steps: int
    done: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.steps

    @abstractmethod
    def advance(self) -> float:
        """Do the step number ``done`` and answer with its loss."""

    @abstractmethod
    def state(self) -> State:
        """All that a resumed optimisation needs but ``done``, under flat names."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Put back what `state` gave."""

    @abstractmethod
    def change(self) -> Float[Tensor, "n 3 h w"]:
        """The perturbations, in grey levels of 255."""


class Optimised(Protection):
    """A protection whose perturbations are the end of an `Optimisation`."""

    @abstractmethod
    def optimisation(self, data: ImageSet, seed: int) -> Optimisation:
        """Its beginning; ``data`` are on the device on which to compute."""

    def perturb(self, data: ImageSet, seed: int) -> Float[Tensor, "n 3 h w"]:
        """Run the optimisation to its end."""
        return self.optimised(data, seed)

    def optimised(
        self,
        data: ImageSet,
        seed: int,
        *,
        device: torch.device | None = None,
        checkpoint: Path | None = None,
        on_step: Callable[[OptimisationStep], None] | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """The perturbations, in grey levels, on the CPU.

        Args:
            data: pictures and labels.
            seed: of everything drawn; on one device and number of threads the same seed gives the same result.
            device: CUDA where there is one when None.
            checkpoint: file for the state; where it exists the run resumes. It stays there at the end.
            on_step: called after each step.

        Raises:
            ValueError: the checkpoint is of another run.
            OSError: it cannot be read.
            DivergedError: a loss was not finite.
        """
        device = device or best_device()
        with seeded(seed, device):
            optimisation = self.optimisation(data.to(device), seed)
            return run(optimisation, seed, self._identity(data, seed, device), checkpoint, on_step).float().cpu()

    def _identity(self, data: ImageSet, seed: int, device: torch.device) -> dict[str, object]:
        """All on which the result depends; a run that went on under another torch would be nobody's run."""
        return {
            "protection": identity(self),
            "weights": file_fingerprint(self.find_files()),
            "seed": seed,
            "version of this package": __version__,
            "version of torch": torch.__version__,
            "device": [device.type, str(fastest_dtype(device))],
            "pictures or classes": fingerprint(data),
        }


def run(
    optimisation: Optimisation,
    seed: int,
    identity: Mapping[str, object],
    checkpoint: Path | None = None,
    on_step: Callable[[OptimisationStep], None] | None = None,
) -> Float[Tensor, "n 3 h w"]:
    """Take ``optimisation`` to its end; see `Optimised.optimised`. ``identity`` names the run in its checkpoint."""
    stored = Checkpoint(checkpoint, identity) if checkpoint else None
    if stored and (saved := stored.load()):
        optimisation.restore(saved.state)
        optimisation.done = int(saved.notes["done"])
    while not optimisation.finished:
        torch.manual_seed(seed * 1_000_003 + optimisation.done)
        loss = optimisation.advance()
        optimisation.done += 1
        if not math.isfinite(loss):
            raise DivergedError(f"the surrogate's loss is {loss} at step {optimisation.done}; lower its learning rate")
        if on_step:
            on_step(OptimisationStep(optimisation.done, optimisation.steps, loss))
        if stored and (optimisation.finished or stored.due):
            stored.save(optimisation.state(), done=str(optimisation.done))
    return optimisation.change()
