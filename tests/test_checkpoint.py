import errno

import pytest
import torch
from torch import nn

from unlearnable.compute.devices import draw_on, generators, seeded
from unlearnable.storage import checkpoint
from unlearnable.storage.checkpoint import Checkpoint, put_back, spent, state_of
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
def test_what_is_put_back_is_a_copy_and_lies_as_it_did(name, tmp_path):
    model, other = network(0), network(1)
    optimizer, its = (recipes.make(name).optimizer(network) for network in (model, other))
    learn(model, optimizer)
    kept = Checkpoint(tmp_path / "state", "it")
    kept.save(state_of(model, optimizer) | {"of somebody else": torch.zeros(1)})
    saved = kept.load()
    put_back(saved.state, other, its)
    for one, two in zip(optimizer.state.values(), its.state.values(), strict=True):
        for what, tensor in one.items():
            assert torch.equal(tensor, two[what]) and tensor.stride() == two[what].stride()
    before = {name: tensor.clone() for name, tensor in saved.state.items()}
    learn(model, optimizer)
    learn(other, its)
    assert all(torch.equal(before[name], tensor) for name, tensor in saved.state.items())
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), other.parameters(), strict=True))


def test_before_the_first_time(tmp_path):
    kept = Checkpoint(tmp_path / "none" / "state", "it")
    assert kept.load() is None and not kept.due and kept.seconds >= 0
    kept.save({"a": torch.ones(2)}, done="3")
    assert kept.load().notes["done"] == "3" and torch.equal(kept.load().state["a"], torch.ones(2))
    assert 0 <= spent(kept.file) <= kept.seconds


def test_a_checkpoint_of_other_names_is_refused(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "state", "it")
    kept.save({"a": torch.ones(2)})
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    with pytest.raises(ValueError, match="holds another run"):
        Checkpoint(tmp_path / "state", "it").load()


def test_a_full_disk_ends_no_run(tmp_path, monkeypatch):
    kept = Checkpoint(tmp_path / "state", "it")
    kept.save({"a": torch.ones(2)}, done="1")

    def full(tensors, file, metadata):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.warns(UserWarning, match="could not be written .*No space left"):
        kept.save({"a": torch.zeros(2)}, done="2")
    assert kept.load().notes["done"] == "1" and [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_folder_that_cannot_be_made_ends_no_run(tmp_path):
    (tmp_path / "file").touch()
    kept = Checkpoint(tmp_path / "file" / "state", "it")
    assert kept.load() is None and spent(kept.file) == 0
    with pytest.warns(UserWarning, match="a kill would lose"):
        kept.save({"a": torch.ones(1)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_what_cuda_draws_goes_on():
    device = torch.device("cuda")
    with seeded(0, device):
        torch.rand(3, device=device)
        stood = generators(device)
        expected = torch.rand(3, device=device), torch.rand(3)
        draw_on(stood, device)
        assert all(map(torch.equal, expected, (torch.rand(3, device=device), torch.rand(3))))
