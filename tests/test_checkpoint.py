import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unlearnable.compute.devices import generator_states, restore_generators, seeded
from unlearnable.storage import checkpoint
from unlearnable.storage.checkpoint import Checkpoint, elapsed_seconds, forget, restore, state_of
from unlearnable.storage.tensors import is_readable
from unlearnable.training.recipes import recipes


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return model.to(memory_format=torch.channels_last)


def learn(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(2, 3, 6, 6).cumsum(0)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", list(recipes))
def test_what_is_restored_is_a_copy_and_lies_as_it_did(name, tmp_path):
    model, other = network(0), network(1)
    optimizer, its = (recipes.make(name).optimizer(network) for network in (model, other))
    learn(model, optimizer)
    stored = Checkpoint(tmp_path / "state", {"of": "it"})
    stored.save(state_of(model, optimizer) | {"of somebody else": torch.zeros(1)})
    saved = stored.load()
    restore(saved.state, other, its)
    for one, two in zip(optimizer.state.values(), its.state.values(), strict=True):
        for what, tensor in one.items():
            assert torch.equal(tensor, two[what]) and tensor.stride() == two[what].stride()
    before = {name: tensor.clone() for name, tensor in saved.state.items()}
    learn(model, optimizer)
    learn(other, its)
    assert all(torch.equal(before[name], tensor) for name, tensor in saved.state.items())
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def test_before_the_first_time(tmp_path):
    stored = Checkpoint(tmp_path / "none" / "state", {"of": "it"})
    assert stored.load() is None and not stored.due and stored.seconds >= 0
    stored.save({"a": torch.ones(2)}, done="3")
    assert stored.load().notes["done"] == "3" and torch.equal(stored.load().state["a"], torch.ones(2))
    assert 0 <= elapsed_seconds(stored.file) <= stored.seconds


def test_a_checkpoint_of_other_names_is_refused(tmp_path, monkeypatch):
    stored = Checkpoint(tmp_path / "state", {"of": "it"})
    stored.save({"a": torch.ones(2)})
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    with pytest.raises(ValueError, match="holds another run, with other version of this package; delete it"):
        Checkpoint(tmp_path / "state", {"of": "it"}).load()


def test_a_checkpoint_of_another_run_is_refused_with_what_differs(tmp_path):
    identity = {"seed": 3, "sizes": (1, 2), "name": "it", "rate": 0.5}
    Checkpoint(tmp_path / "state", identity).save({"a": torch.ones(2)})
    assert Checkpoint(tmp_path / "state", identity).load()
    for change, differing in (({"seed": 4, "name": "other"}, "seed, name"), ({"new": 1}, "new")):
        with pytest.raises(ValueError, match=f"with other {differing}; delete it to begin anew"):
            Checkpoint(tmp_path / "state", identity | change).load()


def test_somebody_elses_file_is_left_alone(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "state")
    with pytest.raises(ValueError, match="holds another run"):
        Checkpoint(tmp_path / "state", {"of": "it"}).load()
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("content", [b"", b"no safetensors", bytes(100)])
def test_a_damaged_file_is_set_aside_and_it_is_said(tmp_path, content):
    stored = Checkpoint(tmp_path / "state", {"of": "it"})
    for name in ("state.corrupt", "state.1.corrupt"):
        stored.file.write_bytes(content)
        with pytest.warns(UserWarning, match=f"state is damaged .* set aside as {name}, and the run begins anew"):
            assert stored.load() is None
        assert (tmp_path / name).read_bytes() == content and not stored.file.exists()
    stored.save({"a": torch.ones(2)})
    forget(stored.file)
    assert not list(tmp_path.iterdir())


def test_a_file_that_may_not_be_read_is_neither_missing_nor_begun_anew(tmp_path, monkeypatch):
    stored = Checkpoint(tmp_path / "state", {"of": "it"})
    stored.save({"a": torch.ones(2)})
    before = stored.file.read_bytes()

    def refused(*arguments, **words):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        for read in (stored.load, lambda: is_readable(stored.file)):
            with pytest.raises(
                OSError, match=r"state is there and cannot be read .*Permission denied.* make it readable"
            ):
                read()
        assert elapsed_seconds(stored.file) == 0
    assert stored.file.read_bytes() == before


def test_a_full_disk_ends_no_run(tmp_path, monkeypatch):
    stored = Checkpoint(tmp_path / "state", {"of": "it"})
    stored.save({"a": torch.ones(2)}, done="1")

    def full(tensors, file, metadata):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.warns(UserWarning, match="could not be written .*No space left"):
        stored.save({"a": torch.zeros(2)}, done="2")
    assert stored.load().notes["done"] == "1" and [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_folder_that_cannot_be_made_ends_no_run(tmp_path):
    (tmp_path / "file").touch()
    stored = Checkpoint(tmp_path / "file" / "state", {"of": "it"})
    assert stored.load() is None and elapsed_seconds(stored.file) == 0
    with pytest.warns(UserWarning, match="a kill would lose"):
        stored.save({"a": torch.ones(1)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_what_cuda_draws_goes_on():
    device = torch.device("cuda")
    with seeded(0, device):
        torch.rand(3, device=device)
        stood = generator_states(device)
        expected = torch.rand(3, device=device), torch.rand(3)
        restore_generators(stood, device)
        assert all(map(torch.equal, expected, (torch.rand(3, device=device), torch.rand(3))))
