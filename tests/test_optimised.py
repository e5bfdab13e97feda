from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from resuming import KilledError, resumed, save_every_step
from sets import labelled, noisy
from unlearnable.compute.devices import DivergedError
from unlearnable.protections.optimised import Optimisation, OptimisationStep, Optimised
from unlearnable.registry import Registry
from unlearnable.storage import checkpoint
from unlearnable.storage.checkpoint import elapsed_seconds

methods: Registry[Optimised] = Registry("methods")


class Drifting(Optimisation):
    """Every step adds noise."""

    def __init__(self, data, steps, bad):
        self.steps, self.bad = steps, bad
        self.noise = torch.randn(data.images.shape)

    def advance(self):
        self.noise = self.noise + torch.rand(self.noise.shape)
        return float("nan") if self.done == self.bad else float(self.done)

    def state(self):
        return {"noise": self.noise}

    def restore(self, state):
        self.noise = state["noise"]

    def change(self):
        return self.noise


@methods.register("drift")
class Drift(Optimised):
    steps: int = 5
    bad: int = -1
    budget: str = "linf:8"

    def optimisation(self, data, seed):
        return Drifting(data, self.steps, self.bad)


@pytest.fixture
def data():
    return labelled(noisy(4, 6, 6), 2)


def test_every_step_is_reported(data):
    steps = []
    change = Drift().optimised(data, 3, on_step=steps.append)
    assert steps == [OptimisationStep(number + 1, 5, float(number)) for number in range(5)]
    assert change.shape == data.images.shape and change.mean() == pytest.approx(2.5, abs=0.2)


@pytest.mark.parametrize("after", [2, 3, 5])
def test_resumed_as_if_never_killed(data, tmp_path, after):
    expected = Drift().optimised(data, 3)
    assert torch.equal(resumed(Drift(), data, tmp_path / "state", after, seed=3), expected)
    assert not torch.equal(expected, Drift().optimised(data, 4))


def test_a_finished_run_is_read_from_its_checkpoint(data, tmp_path):
    file, steps = tmp_path / "state", []
    expected = Drift().optimised(data, 3, checkpoint=file)
    assert torch.equal(Drift().optimised(data, 3, checkpoint=file, on_step=steps.append), expected)
    assert not steps and file.exists()


def test_nothing_outside_depends_on_the_run(data):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Drift().optimised(data, 3)
    assert torch.equal(torch.rand(3), expected)


def test_a_foreign_checkpoint_is_refused(data, tmp_path):
    file = tmp_path / "state"
    Drift().optimised(data, 3, checkpoint=file)
    other = labelled(noisy(4, 6, 6, seed=1), 2)
    relabelled = labelled(data.images.flip(0), 2)
    for method, pictures, seed, differing in (
        (Drift(steps=6), data, 3, "protection"),
        (Drift(), data, 4, "seed"),
        (Drift(steps=6), data, 4, "protection, seed"),
        (Drift(), other, 3, "pictures or classes"),
        (Drift(), relabelled, 3, "pictures or classes"),
        (Drift(), replace(data, classes=(*data.classes, "c")), 3, "pictures or classes"),
        (Drift(), replace(data, images=data.images.reshape(4, 3, 4, 9)), 3, "pictures or classes"),
    ):
        with pytest.raises(ValueError, match=f"holds another run, with other {differing}; delete it"):
            method.optimised(pictures, seed, checkpoint=file)


def test_a_checkpoint_of_another_torch_is_refused(data, tmp_path, monkeypatch):
    Drift().optimised(data, 3, checkpoint=tmp_path / "state")
    monkeypatch.setattr(torch, "__version__", f"{torch.__version__}.post1")
    with pytest.raises(ValueError, match="with other version of torch; delete"):
        Drift().optimised(data, 3, checkpoint=tmp_path / "state")


def test_a_damaged_checkpoint_is_set_aside_and_the_run_begins_anew(data, tmp_path):
    file = tmp_path / "state"
    file.write_bytes(b"no safetensors")
    with pytest.warns(UserWarning, match=r"state is damaged .* set aside as state\.corrupt, and the run begins anew"):
        change = Drift().optimised(data, 3, checkpoint=file)
    assert torch.equal(change, Drift().optimised(data, 3))
    assert (tmp_path / "state.corrupt").read_bytes() == b"no safetensors"


def test_a_checkpoint_that_cannot_be_read_is_not_begun_anew(data, tmp_path):
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match=r"state is there and cannot be read .*Is a directory"):
        Drift().optimised(data, 3, checkpoint=tmp_path / "state")


def test_a_loss_that_is_not_finite_ends_the_run(data, tmp_path):
    file = tmp_path / "state"
    with pytest.raises(DivergedError, match="nan at step 3"):
        Drift(bad=2).optimised(data, 3, checkpoint=file)
    assert not file.exists()


def test_the_time_of_a_killed_run_is_counted_with_that_of_the_next(data, tmp_path, monkeypatch):
    """Steps of 11 s: two are saved, the third is lost."""
    clock, file = [0.0], tmp_path / "state"
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    save_every_step(monkeypatch)

    def on_step(step):
        clock[0] += 11
        if step.done == 3:
            raise KilledError

    with pytest.raises(KilledError):
        Drift().optimised(data, 3, checkpoint=file, on_step=on_step)
    assert elapsed_seconds(file) == 22
    clock[0] = 1000.0
    Drift(steps=5).optimised(data, 3, checkpoint=file, on_step=lambda step: clock.__setitem__(0, clock[0] + 5))
    assert elapsed_seconds(file) == 22 + 3 * 5


@pytest.mark.parametrize("saving, expected", [(0.5, [3, 6, 8]), (3.0, [3, 8])])
def test_saving_takes_a_small_part_of_the_time(data, tmp_path, monkeypatch, saving, expected):
    """Steps of 11 s: after 30 s, then after 30 s more, or after twenty times what saving took."""
    clock, saved = [0.0], []
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])

    def save(tensors, file, metadata):
        save_file(tensors, file, metadata)
        saved.append(int(metadata["done"]))
        clock[0] += saving

    def on_step(step):
        clock[0] += 11

    monkeypatch.setattr(checkpoint, "save_file", save)
    Drift(steps=8).optimised(data, 3, checkpoint=tmp_path / "state", on_step=on_step)
    assert saved == expected
