import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from resuming import save_every_step
from unlearnable.compute.devices import DivergedError
from unlearnable.hider_training import loop as running
from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.loop import HiderTraining, _at_full_scale
from unlearnable.hider_training.train import CHECKPOINT, train
from unlearnable.hiding.network import Hider
from unlearnable.storage import checkpoint
from unlearnable.victims.architectures import ResNet18
from unlearnable.victims.features import save_weights

TINY = HiderConfig(blocks=2, growth=4, steps=8, sizes=(16, 32), pixels=1024, warmup=2)


def strangers(count):
    """Covers, secrets and the secrets' classes, all different."""
    return *torch.rand(2, count, 3, 16, 16), torch.arange(count)


def weights_of(folder):
    return Hider.load(folder).state_dict()


def test_it_learns_to_reveal(covers, tmp_path):
    config = HiderConfig(blocks=2, growth=8, steps=60, sizes=(16,), pixels=8 * 256, warmup=5, learning_rate=2e-3)
    progress = list(train(config, [covers], ["render"], tmp_path / "out"))
    assert len(progress) == 60
    first, last = (np.nanmean([p.secret_psnr for p in part]) for part in (progress[:10], progress[-10:]))
    assert last > first + 3
    assert (tmp_path / "out" / "training.png").stat().st_size > 5000
    assert not math.isnan(progress[-1].rms)
    assert Hider.load(tmp_path / "out").config["blocks"] == 2


def test_it_begins_with_given_weights(covers, tmp_path):
    list(train(TINY, [covers], ["render"], tmp_path / "first"))
    config = replace(TINY, start=str(tmp_path / "first"), steps=1, learning_rate=1e-9)
    list(train(config, [covers], ["render"], tmp_path / "second"))
    first, second = (weights_of(tmp_path / name) for name in ("first", "second"))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"'growth': 8.* as configured, got .*'growth': 4"):
        list(train(replace(config, growth=8), [covers], ["render"], tmp_path / "third"))


def test_the_caller_draws_on_as_if_nothing_had_been_trained(covers, tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    list(train(TINY, [covers], ["render"], tmp_path / "out"))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_first_weights_are_those_that_the_seed_draws():
    torch.manual_seed(TINY.seed)
    drawn = _at_full_scale(Hider(TINY.blocks, TINY.growth, mask=TINY.mask)).state_dict()
    torch.manual_seed(7)
    first = HiderTraining(TINY, torch.device("cpu")).hider.state_dict()
    assert all(torch.equal(first[name], tensor) for name, tensor in drawn.items())


@pytest.mark.parametrize(
    "changes", [{}, {"start": "no/such/folder"}, {"concentration": 1.0, "per_class": 2, "extractor": "no"}]
)
def test_a_training_that_cannot_begin_leaves_no_folder(changes, covers, tmp_path):
    photographs = covers if changes else tmp_path / "none"
    with pytest.raises(FileNotFoundError):
        next(train(replace(TINY, **changes), [photographs], ["render"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_killed_at_any_step_it_ends_the_same(covers, tmp_path, monkeypatch):
    """Crops, secrets and noise are functions of the step, and moments are kept: resuming changes nothing."""
    save_every_step(monkeypatch)
    monkeypatch.setattr(running, "SNAPSHOT_STEPS", 1)
    whole = list(train(TINY, [covers], ["render"], tmp_path / "whole"))
    killed = train(TINY, [covers], ["render"], tmp_path / "killed")
    for _ in range(4):
        next(killed)
    killed.close()
    resumed = list(train(TINY, [covers], ["render"], tmp_path / "killed"))
    assert [p.step for p in resumed] == [3, 4, 5, 6, 7]
    assert resumed[-1].loss == pytest.approx(whole[-1].loss, rel=1e-4)
    ended, expected = weights_of(tmp_path / "killed"), weights_of(tmp_path / "whole")
    for name, tensor in expected.items():
        torch.testing.assert_close(ended[name], tensor, atol=1e-5, rtol=1e-3)


def test_another_configuration_does_not_resume(covers, tmp_path):
    list(train(TINY, [covers], ["render"], tmp_path / "out"))
    other = replace(TINY, eps=4.0)
    with pytest.raises(ValueError, match=r"out/checkpoint\.safetensors holds another run, with other eps; delete it"):
        next(train(other, [covers], ["render"], tmp_path / "out"))
    (covers / "0.png").unlink()
    with pytest.raises(ValueError, match="other covers or secrets"):
        next(train(TINY, [covers], ["render"], tmp_path / "out"))


def test_a_finished_training_is_not_repeated(covers, tmp_path):
    list(train(TINY, [covers], [covers], tmp_path / "out"))
    assert list(train(TINY, [covers], [covers], tmp_path / "out")) == []


def test_a_damaged_checkpoint_is_set_aside_and_the_training_begins_anew(covers, tmp_path):
    expected = list(train(TINY, [covers], ["render"], tmp_path / "whole"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / CHECKPOINT).write_bytes(b"no safetensors")
    with pytest.warns(UserWarning, match=r"set aside as checkpoint\.corrupt, and the run begins anew"):
        assert list(train(TINY, [covers], ["render"], tmp_path / "out")) == expected


def test_a_checkpoint_that_cannot_be_read_is_not_begun_anew(covers, tmp_path):
    (tmp_path / "out" / CHECKPOINT).mkdir(parents=True)
    with pytest.raises(OSError, match=r"checkpoint\.safetensors is there and cannot be read .*Is a directory"):
        next(train(TINY, [covers], ["render"], tmp_path / "out"))


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e6])
def test_an_explosion_rolls_back_and_lowers_the_rate(poison, monkeypatch):
    run = HiderTraining(TINY, torch.device("cpu"))
    batch = strangers(2)
    for _ in range(3):
        run.advance(*batch)
    run.snapshot = run.state()
    good = {name: tensor.clone() for name, tensor in run.hider.state_dict().items()}
    real = running.revealing_loss
    monkeypatch.setattr(running, "revealing_loss", lambda *pair: real(*pair) * poison)
    progress = run.advance(*batch)
    assert progress.rollbacks == 1
    assert run.rate_factor == 0.5
    assert all(torch.equal(run.hider.state_dict()[name], tensor) for name, tensor in good.items())
    monkeypatch.undo()
    assert math.isfinite(run.advance(*batch).loss)


def test_weights_that_have_not_proved_good_are_not_what_it_rolls_back_to(monkeypatch):
    monkeypatch.setattr(running, "SNAPSHOT_STEPS", 1)
    run = HiderTraining(TINY, torch.device("cpu"))
    batch = strangers(2)
    run.advance(*batch)
    run.hider.blocks[0].phi.convs[4].weight.data.fill_(float("nan"))  # the step itself blew up
    assert run.advance(*batch).rollbacks == 1
    assert math.isfinite(run.advance(*batch).loss)


def test_it_gives_up_when_nothing_helps(monkeypatch):
    run = HiderTraining(TINY, torch.device("cpu"))
    monkeypatch.setattr(running, "revealing_loss", lambda revealed, secret: revealed.mean() * float("nan"))
    batch = strangers(1)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        for _ in range(running.MAX_ROLLBACKS + 1):
            run.advance(*batch)


def test_the_start_is_the_identity():
    run = HiderTraining(TINY, torch.device("cpu"))
    cover, secret = torch.rand(2, 1, 3, 16, 16)
    assert torch.equal(run.hider.hide(cover, secret), cover)


def test_the_checkpoint_holds_no_pickle(covers, tmp_path):
    list(train(TINY, [covers], ["render"], tmp_path / "out"))
    content = (tmp_path / "out" / CHECKPOINT).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["step"]) == TINY.steps


def test_a_checkpoint_of_another_format_is_refused(covers, tmp_path, monkeypatch):
    list(train(TINY, [covers], ["render"], tmp_path / "out"))
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    with pytest.raises(ValueError, match="with other version of this package"):
        list(train(TINY, [covers], ["render"], tmp_path / "out"))


def test_the_papers_own_losses_and_a_bank_with_classes(covers, tmp_path):
    """Eq. 8 on floats: no publishing, no countermeasure, no mask, concentration on batches of one class or two."""
    extractor = tmp_path / "extractor.safetensors"
    save_weights(ResNet18().build(3, 32), extractor)
    paper = replace(
        TINY,
        published=False,
        distorted=0.0,
        surviving=0.0,
        mask=False,
        low_frequency=1.0,
        per_class=2,
        sizes=(32,),
        pixels=4096,
    )
    concentrated = replace(paper, concentration=0.01, extractor=str(extractor))
    for name in ("one", "two"):
        folder = tmp_path / "bank" / name
        shutil.copytree(covers, folder)
    losses = [
        [now.loss for now in train(config, [covers], [tmp_path / "bank"], tmp_path / name)]
        for name, config in (("plain", paper), ("concentrated", concentrated))
    ]
    assert losses[0] != losses[1]
    assert all(map(math.isfinite, losses[1]))
    assert Hider.load(tmp_path / "plain").config["mask"] is False


@pytest.mark.parametrize(("surviving", "times"), [(0.1, 2), (0.0, 1)])
def test_the_cover_is_distorted_where_a_loss_needs_it(surviving, times):
    run = HiderTraining(replace(TINY, surviving=surviving), torch.device("cpu"))
    distorted = []
    run.distort = lambda pictures, generator: distorted.append(pictures) or pictures
    run.advance(*strangers(1))
    assert len(distorted) == times


def test_concentration_needs_classes_and_an_extractor():
    with pytest.raises(ValueError, match="per_class of at least 2"):
        replace(TINY, concentration=1e-4, extractor="imagenet")
    with pytest.raises(FileNotFoundError, match="expected imagenet or the weights"):
        HiderTraining(replace(TINY, concentration=1e-4, extractor="nowhere", per_class=2), torch.device("cpu"))


def test_what_is_concentrated_is_what_survives_distortions_of_pictures_of_one_class(monkeypatch, tmp_path):
    save_weights(ResNet18().build(3, 32), tmp_path / "extractor.safetensors")
    config = replace(
        TINY, concentration=1.0, per_class=2, extractor=str(tmp_path / "extractor.safetensors"), surviving=0.0
    )
    run = HiderTraining(config, torch.device("cpu"))
    seen = []
    run.extractor = lambda change, eps: seen.append(change.detach()) or change.flatten(1)
    monkeypatch.setattr(running, "concentration_loss", lambda features, labels: seen.append(labels) or features.sum())
    run.distort = lambda pictures, generator: pictures / 4
    cover, secret, labels = strangers(3)
    run.publish = lambda stego, cover, generator: stego + 1
    run.advance(cover, secret, labels)
    assert seen[0] == pytest.approx(0.25)
    assert seen[1] is labels
