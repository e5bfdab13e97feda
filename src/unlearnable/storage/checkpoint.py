"""A run of minutes or hours that was killed goes on from a file that holds what it had come to, without pickle."""

import json
import time
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from unlearnable.storage.atomic import replacing
from unlearnable.storage.decode import from_json
from unlearnable.storage.records import CORRUPT, set_aside
from unlearnable.storage.tensors import opened

CHECKPOINT_SECONDS = 30  # what a kill loses at most, but for one step, as long as saving is quick
CHECKPOINT_SHARE = 0.05  # of the time, at most, goes into saving

FORMAT = 3  # of the names in a state, and of the notes

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
        identity: all on which the outcome of the run depends, by name; a number, a text, or a list of such.
    """

    def __init__(self, file: Path, identity: Mapping[str, object]) -> None:
        self.file = file
        self.identity = from_json(json.dumps({"format": FORMAT, **identity}), dict)
        now = time.monotonic()
        self._begun = now - elapsed_seconds(file)
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
        """What was saved; None before the first time. A damaged file is set aside, with a warning.

        Raises:
            ValueError: it was saved by another run.
            OSError: the file cannot be read.
        """
        try:
            with opened(self.file) as stored:
                notes = stored.metadata() or {}
                self._check(notes.get("identity", ""))
                state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except FileNotFoundError:
            return None
        except SafetensorError as error:
            aside = set_aside(self.file)
            warnings.warn(
                f"{self.file} is damaged ({error}): it was set aside as {aside.name}, and the run begins anew",
                stacklevel=2,
            )
            return None
        return Saved(state, notes)

    def save(self, state: State, **notes: str) -> None:
        """Write the state and what is to stand beside it, whole or not at all; the run goes on where that fails."""
        start = time.monotonic()
        tensors = {name: _contiguous_copy(tensor) for name, tensor in state.items()}
        noted = {"identity": json.dumps(self.identity), "seconds": f"{start - self._begun:.2f}", **notes}
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

    def _check(self, identity: str) -> None:
        theirs = from_json(identity, dict) if identity.startswith("{") else {}
        differing = [name for name, value in self.identity.items() if theirs.get(name) != value]
        if differing:
            named = ", ".join(differing) if theirs.get("format") == FORMAT else "version of this package"
            raise ValueError(
                f"{self.file} holds another run, with other {named}; delete it to begin anew, or write to another place"
            )


def forget(file: Path) -> None:
    """Remove a checkpoint whose run is over, and what was set aside of it."""
    for left in (file, *file.parent.glob(f"{file.stem}*{CORRUPT}")):
        left.unlink(missing_ok=True)


def elapsed_seconds(file: Path) -> float:
    """That have gone into a checkpoint, those of runs that were killed included; 0 where there is none to be read."""
    try:
        with opened(file) as stored:
            return float((stored.metadata() or {}).get("seconds", 0))
    except (OSError, SafetensorError):  # of which `Checkpoint.load` tells
        return 0.0


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """A network's weights, and what its optimiser remembers of each; not copied."""
    state = {f"weight.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, memory in optimizer.state_dict()["state"].items():
        state |= {f"memory.{index}.{name}": tensor for name, tensor in memory.items() if tensor is not None}
    return state


def restore(state: State, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
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
            memories[int(index)][what] = _copy_like(tensor, learning[int(index)])
    model.load_state_dict(weights)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": dict(memories), "param_groups": groups})


def _contiguous_copy(tensor: Tensor) -> Tensor:
    """As safetensors wants it: on the CPU, in order, sharing memory with no other."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _copy_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A copy, in memory as ``parameter`` is where it is as large: optimisers are slow where both differ."""
    if tensor.shape != parameter.shape:
        return tensor.clone()
    return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
