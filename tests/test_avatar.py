import json

import pytest
import torch

from sets import labelled, noisy, smooth
from tiny_ddpm import save_ddpm
from unlearnable.countermeasures import Knowledge, countermeasure_named


@pytest.fixture(scope="module")
def ddpm(tmp_path_factory):
    return save_ddpm(tmp_path_factory.mktemp("ddpm"))


@pytest.fixture
def data():
    return smooth(6, side=16)


def test_step_0_is_the_identity(ddpm, data):
    avatar = countermeasure_named(f"avatar:model={ddpm},step=0")
    assert torch.equal(avatar.purify(data, Knowledge()).images, data.images)
    assert avatar.changes_nothing and avatar.control


def test_the_seed_decides(ddpm, data):
    avatar = countermeasure_named(f"avatar:model={ddpm},step=6,stride=2")
    one, again, other = (avatar.purify(data, Knowledge(seed=seed)).images for seed in (1, 1, 2))
    assert one.shape == data.images.shape and one.dtype == torch.uint8
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_perfect_network_brings_the_pictures_back(ddpm, data, monkeypatch):
    """One that knows the clean picture predicts the noise exactly: what is left is rounding."""
    from diffusers import DDPMScheduler, UNet2DModel

    schedule, clean = DDPMScheduler(), data.images.float() / 127.5 - 1

    class Known:
        def __init__(self, noisy, step):
            kept = schedule.alphas_cumprod[step]
            self.sample = (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()

    monkeypatch.setattr(UNet2DModel, "forward", lambda self, noisy, step: Known(noisy, step))
    for text in ("step=100", "step=100,stride=7", "step=1"):
        purified = countermeasure_named(f"avatar:model={ddpm},{text}").purify(data, Knowledge())
        assert (purified.images.int() - data.images.int()).abs().max() <= 1


def test_both_layouts_of_folders(ddpm, data, tmp_path):
    for file in (*(ddpm / "unet").iterdir(), *(ddpm / "scheduler").iterdir()):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    one, other = (countermeasure_named(f"avatar:model={folder},step=2") for folder in (ddpm, tmp_path))
    assert torch.equal(one.purify(data, Knowledge()).images, other.purify(data, Knowledge()).images)
    assert [file.name for file in one.find_files()] == [file.name for file in other.find_files()]


def test_what_does_not_fit_is_refused_before_any_training(ddpm, data, tmp_path):
    countermeasure_named(f"avatar:model={ddpm}").check_serves(data)
    with pytest.raises(ValueError, match="of 16 px; got colour pictures of 24x20 px"):
        countermeasure_named(f"avatar:model={ddpm}").check_serves(labelled(noisy()))
    with pytest.raises(ValueError, match="with 1 channels"):
        countermeasure_named(f"avatar:model={save_ddpm(tmp_path / 'grey', channels=1)}").check_serves(data)
    with pytest.raises(ValueError, match="at most 1000, as many as"):
        countermeasure_named(f"avatar:model={ddpm},step=1001").check_serves(data)


def test_weights_that_are_no_safetensors(data, tmp_path):
    pickled = save_ddpm(tmp_path / "pickled")
    weights = pickled / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(torch.zeros(1), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected .*diffusion_pytorch_model\.safetensors, on which"):
        countermeasure_named(f"avatar:model={pickled}").check_serves(data)


def test_weights_that_are_no_network(data, tmp_path):
    broken = save_ddpm(tmp_path / "broken")
    (broken / "unet" / "config.json").write_text(json.dumps({"sample_size": 32, "in_channels": 3}))
    with pytest.raises(ValueError, match="take a DDPM of this size"):
        countermeasure_named(f"avatar:model={broken}").check_serves(data)
