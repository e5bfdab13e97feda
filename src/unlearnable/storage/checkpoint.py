"""A run of minutes or hours that was killed goes on from a file that holds what it had come to, without pickle."""

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from unlearnable.storage.atomic import replacing

CHECKPOINT_SECONDS = 30  # what a kill loses at most, but for one step, as long as saving is quick
CHECKPOINT_SHARE = 0.05  # of the time, at most, goes into saving

FORMAT = 2  # of the names in a state

State = dict[str, Tensor]  # under flat names


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes:
        state: of the run.
        notes: beside it.
    """

    state: State
    notes: dict[str, str]


class Checkpoint:
    """Where a run keeps its state; the file stays there when it is over.

    Args:
        file: with which it goes on where there is one.
        identity: all on which the outcome of the run depends.

    Raises:
        ValueError: the file is no checkpoint.
    """

    def __init__(self, file: Path, identity: str) -> None:
        self.file, self.identity = file, f"{FORMAT} {identity}"
        now = time.monotonic()
        self._begun = now - spent(file)
        self._due = now + CHECKPOINT_SECONDS

    @property
    def seconds(self) -> float:
        """That have gone into the run, those of runs that were killed included."""
        return time.monotonic() - self._begun

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() > self._due

    def load(self) -> Saved | None:
        """What was saved; None before the first time.

        Raises:
            ValueError: by another run.
        """
        with _opened(self.file) as stored:
            if stored is None:
                return None
            notes = stored.metadata() or {}
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if notes.get("identity") != self.identity:
            raise ValueError(
                f"{self.file} holds another run (other pictures, classes, parameters, seed, kind of device, or version "
                "of this package or of torch); delete it to begin anew"
            )
        return Saved(state, notes)

    def save(self, state: State, **notes: str) -> None:
        """Write the state and what is to stand beside it, whole or not at all; the run goes on where that fails."""
        start = time.monotonic()
        tensors = {name: _written(tensor) for name, tensor in state.items()}
        noted = {"identity": self.identity, "seconds": f"{start - self._begun:.2f}", **notes}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.file) as temporary:
                save_file(tensors, temporary, metadata=noted)
        except (OSError, SafetensorError) as error:
            warnings.warn(
                f"{self.file} could not be written ({error}): a kill would lose what came since", stacklevel=2
            )
        end = time.monotonic()
        self._due = end + max(CHECKPOINT_SECONDS, (end - start) / CHECKPOINT_SHARE)


def spent(file: Path) -> float:
    """Seconds that have gone into a checkpoint, those of runs that were killed included; 0 where there is none.

    Raises:
        ValueError: the file is no checkpoint.
    """
    with _opened(file) as stored:
        return float((stored.metadata() or {}).get("seconds", 0)) if stored else 0.0


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """A network's weights, and what its optimiser remembers of each; not copied."""
    state = {f"weight.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, memory in optimizer.state_dict()["state"].items():
        state |= {f"memory.{index}.{name}": tensor for name, tensor in memory.items() if tensor is not None}
    return state


def put_back(state: State, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Copy what `state_of` gave into a network and its optimiser; other names are passed over."""
    weights: State = {}
    memories: defaultdict[int, State] = defaultdict(dict)
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, tensor in state.items():
        kind, _, rest = name.partition(".")
        if kind == "weight":
            weights[rest] = tensor
        elif kind == "memory":
            index, _, what = rest.partition(".")
            memories[int(index)][what] = _laid_out(tensor, learning[int(index)])
    model.load_state_dict(weights)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": dict(memories), "param_groups": groups})


def _written(tensor: Tensor) -> Tensor:
    """As safetensors wants it: on the CPU, in order, sharing memory with no other."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A copy, in memory as ``parameter`` is where it is as large: optimisers are slow where both differ."""
    if tensor.shape != parameter.shape:
        return tensor.clone()
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The file; None where there is none, or none that can be reached."""
    try:
        stored = safe_open(file, framework="pt")
    except OSError:
        yield None
        return
    except SafetensorError as error:
        raise ValueError(f"{file} is not a checkpoint: {error}; delete it to begin anew") from None
    with stored:
        yield stored
