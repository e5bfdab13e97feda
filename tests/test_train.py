import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from banks import small_bank
from resuming import save_every_step
from samples import picture
from unlearnable.compute.devices import DivergedError
from unlearnable.hider_training import loop as running
from unlearnable.hider_training.config import HiderConfig
from unlearnable.hider_training.crops import FolderCrops, RandomDrawings
from unlearnable.hider_training.loop import HiderTraining
from unlearnable.hider_training.train import CHECKPOINT, train
from unlearnable.hiding.network import Hider
from unlearnable.semantics.bank import BANK, SHEET
from unlearnable.storage import checkpoint
from unlearnable.victims.architectures import ResNet18
from unlearnable.victims.features import save_weights

TINY = HiderConfig(blocks=2, growth=4, steps=8, sizes=(16, 32), pixels=1024, warmup=2)


@pytest.fixture
def covers(tmp_path):
    folder = tmp_path / "covers"
    folder.mkdir()
    for index in range(4):
        picture(index, 60, 50).save(folder / f"{index}.png")
    return folder


def strangers(count):
    """Covers, secrets and the secrets' classes, all different."""
    return *torch.rand(2, count, 3, 16, 16), torch.arange(count)


def weights_of(folder):
    return Hider.load(folder).state_dict()


def test_it_learns_to_reveal(covers, tmp_path):
    recipe = HiderConfig(blocks=2, growth=8, steps=60, sizes=(16,), pixels=8 * 256, warmup=5, learning_rate=2e-3)
    progress = list(train(recipe, [covers], "render", tmp_path / "out"))
    assert len(progress) == 60
    first, last = (np.nanmean([p.secret_psnr for p in part]) for part in (progress[:10], progress[-10:]))
    assert last > first + 3
    assert (tmp_path / "out" / "training.png").stat().st_size > 5000
    assert not math.isnan(progress[-1].rms)
    assert Hider.load(tmp_path / "out").config["blocks"] == 2


def test_it_begins_with_given_weights(covers, tmp_path):
    list(train(TINY, [covers], "render", tmp_path / "first"))
    recipe = replace(TINY, start=str(tmp_path / "first"), steps=1, learning_rate=1e-9)
    list(train(recipe, [covers], "render", tmp_path / "second"))
    first, second = (weights_of(tmp_path / name) for name in ("first", "second"))
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"'growth': 8.* as the recipe says, got .*'growth': 4"):
        list(train(replace(recipe, growth=8), [covers], "render", tmp_path / "third"))


def test_killed_at_any_step_it_ends_the_same(covers, tmp_path, monkeypatch):
    """Crops, secrets and noise are functions of the step, and moments are kept: resuming changes nothing."""
    save_every_step(monkeypatch)
    monkeypatch.setattr(running, "SNAPSHOT_STEPS", 1)
    whole = list(train(TINY, [covers], "render", tmp_path / "whole"))
    killed = train(TINY, [covers], "render", tmp_path / "killed")
    for _ in range(4):
        next(killed)
    killed.close()
    resumed = list(train(TINY, [covers], "render", tmp_path / "killed"))
    assert [p.step for p in resumed] == [3, 4, 5, 6, 7]
    assert resumed[-1].loss == pytest.approx(whole[-1].loss, rel=1e-4)
    ended, expected = weights_of(tmp_path / "killed"), weights_of(tmp_path / "whole")
    for name, tensor in expected.items():
        torch.testing.assert_close(ended[name], tensor, atol=1e-5, rtol=1e-3)


def test_another_recipe_does_not_resume(covers, tmp_path):
    list(train(TINY, [covers], "render", tmp_path / "out"))
    other = replace(TINY, eps=4.0)
    with pytest.raises(ValueError, match=r"out/checkpoint\.safetensors holds another run, with other eps; delete it"):
        next(train(other, [covers], "render", tmp_path / "out"))
    (covers / "0.png").unlink()
    with pytest.raises(ValueError, match="other covers or secrets"):
        next(train(TINY, [covers], "render", tmp_path / "out"))


def test_a_finished_training_is_not_repeated(covers, tmp_path):
    list(train(TINY, [covers], [covers], tmp_path / "out"))
    assert list(train(TINY, [covers], [covers], tmp_path / "out")) == []


def test_a_damaged_checkpoint_is_set_aside_and_the_training_begins_anew(covers, tmp_path):
    expected = list(train(TINY, [covers], "render", tmp_path / "whole"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / CHECKPOINT).write_bytes(b"no safetensors")
    with pytest.warns(UserWarning, match=r"set aside as checkpoint\.corrupt, and the run begins anew"):
        assert list(train(TINY, [covers], "render", tmp_path / "out")) == expected


def test_a_checkpoint_that_cannot_be_read_is_not_begun_anew(covers, tmp_path):
    (tmp_path / "out" / CHECKPOINT).mkdir(parents=True)
    with pytest.raises(OSError, match=r"checkpoint\.safetensors is there and cannot be read .*Is a directory"):
        next(train(TINY, [covers], "render", tmp_path / "out"))


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
    assert run.slowdown == 0.5
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
    list(train(TINY, [covers], "render", tmp_path / "out"))
    content = (tmp_path / "out" / CHECKPOINT).read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["step"]) == TINY.steps


def test_a_checkpoint_of_another_format_is_refused(covers, tmp_path, monkeypatch):
    list(train(TINY, [covers], "render", tmp_path / "out"))
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    with pytest.raises(ValueError, match="with other version of this package"):
        list(train(TINY, [covers], "render", tmp_path / "out"))


def test_the_papers_own_losses_and_a_bank_with_classes(covers, tmp_path):
    """Eq. 8 on floats: no publishing, no countermeasure, no mask, concentration on batches of one class or two."""
    extractor = tmp_path / "extractor.safetensors"
    save_weights(ResNet18().build(3, 32), extractor)
    paper = replace(
        TINY,
        published=False,
        handled=0.0,
        outliving=0.0,
        mask=False,
        low_frequency=1.0,
        each=2,
        sizes=(32,),
        pixels=4096,
    )
    concentrated = replace(paper, concentration=0.01, extractor=str(extractor))
    for name in ("one", "two"):
        folder = tmp_path / "bank" / name
        shutil.copytree(covers, folder)
    losses = [
        [now.loss for now in train(recipe, [covers], [tmp_path / "bank"], tmp_path / name)]
        for name, recipe in (("plain", paper), ("concentrated", concentrated))
    ]
    assert losses[0] != losses[1]
    assert all(map(math.isfinite, losses[1]))
    assert Hider.load(tmp_path / "plain").config["mask"] is False


@pytest.mark.parametrize(("outliving", "times"), [(0.1, 2), (0.0, 1)])
def test_the_cover_is_handled_where_something_looks_at_it(outliving, times):
    run = HiderTraining(replace(TINY, outliving=outliving), torch.device("cpu"))
    handled = []
    run.handle = lambda pictures, generator: handled.append(pictures) or pictures
    run.advance(*strangers(1))
    assert len(handled) == times


def test_concentration_needs_classes_and_an_extractor():
    with pytest.raises(ValueError, match="each of at least 2"):
        replace(TINY, concentration=1e-4, extractor="imagenet")
    with pytest.raises(FileNotFoundError, match="expected imagenet or the weights"):
        HiderTraining(replace(TINY, concentration=1e-4, extractor="nowhere", each=2), torch.device("cpu"))


def test_what_is_concentrated_is_what_outlives_handling_of_pictures_of_one_class(monkeypatch, tmp_path):
    save_weights(ResNet18().build(3, 32), tmp_path / "extractor.safetensors")
    recipe = replace(TINY, concentration=1.0, each=2, extractor=str(tmp_path / "extractor.safetensors"), outliving=0.0)
    run = HiderTraining(recipe, torch.device("cpu"))
    seen = []
    run.extractor = lambda change, eps: seen.append(change.detach()) or change.flatten(1)
    monkeypatch.setattr(running, "concentration_loss", lambda features, labels: seen.append(labels) or features.sum())
    run.handle = lambda pictures, generator: pictures / 4
    cover, secret, labels = strangers(3)
    run.publish = lambda stego, cover, generator: stego + 1
    run.advance(cover, secret, labels)
    assert seen[0] == pytest.approx(0.25)
    assert seen[1] is labels


def test_batches_hold_runs_of_one_class(tmp_path):
    tones = {"dark": 50, "light": 200, "mid": 120}
    for name, tone in tones.items():
        for number in range(3 if name == "dark" else 1):
            ramp = np.linspace(0, 40, 40, dtype=np.uint8)[None, :, None] + np.zeros((40, 40, 3), dtype=np.uint8)
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(ramp + np.uint8(tone)).save(tmp_path / name / f"{number}.png")
    source = FolderCrops(tmp_path)
    pictures, labels = source.draw(np.random.default_rng(0), 12, 16, 2)
    assert labels.tolist() == labels[::2].repeat(2).tolist()
    assert sorted(labels[:6]) == sorted(labels[6:]) == [0, 0, 1, 1, 2, 2]
    brightness = pictures.mean((1, 2, 3))
    for label, tone in enumerate(tones.values()):
        assert np.all(abs(brightness[labels == label] - tone - 20) < 20)
    assert np.array_equal(pictures[::2], pictures[1::2])  # cut and flipped alike
    assert source.draw(np.random.default_rng(0), 5, 16, 2).pictures.shape == (5, 3, 16, 16)
    rendered, labels = RandomDrawings(0).draw(np.random.default_rng(0), 6, 32, 3)
    assert labels[0] == labels[2] != labels[3]
    alike = np.corrcoef(rendered.mean(1).reshape(6, -1))
    assert min(alike[0, 1], alike[1, 2], alike[3, 4]) > 0.5 > abs(alike[0, 3])


@pytest.mark.parametrize("plan", sorted((Path(__file__).parents[1] / "plans").glob("hider_*.yaml")))
def test_plans_are_recipes(plan):
    recipe = HiderConfig.read(plan, ["steps=3"])
    assert recipe.steps == 3
    assert recipe.learning_rate > 0
    if plan.stem == "hider_robust":
        assert HiderConfig.read(plan) == HiderConfig()
    else:
        assert (recipe.blocks, recipe.growth, recipe.pixels // 224**2) == (16, 32, 24)


def test_a_plan_that_is_none(tmp_path):
    for text, problem in {
        "stepps: 3": r"plan\.yaml is not a recipe.*unknown name: stepps; known: blocks",
        "- steps": r"expected names and values, got \['steps'",
        "{": "expected YAML",
        "learning_rate: fast": "expected a number for learning_rate, got 'fast'",
        "steps: 2.5": "expected a whole number for steps, got 2.5",
        "mask: 1": "expected true or false for mask, got 1",
        "sizes: 64": "expected a list for sizes, got 64",
        "sizes: [32.5]": r"expected a whole number for sizes\[0\], got 32\.5",
        "warmup: 0": "expected at least 1 of warmup",
        "sizes: [33]": "expected even sizes",
    }.items():
        (tmp_path / "plan.yaml").write_text(text)
        with pytest.raises(ValueError, match=problem):
            HiderConfig.read(tmp_path / "plan.yaml")
    with pytest.raises(ValueError, match="expected names and values for --set steps"):
        HiderConfig.read(None, ["steps"])


def test_what_yaml_takes_for_a_word():
    recipe = HiderConfig.read(None, ["learning_rate=1e-4", "eps=8", "sizes=[32]", "extractor=imagenet", "mask=false"])
    assert (recipe.learning_rate, recipe.eps, recipe.sizes) == (1e-4, 8.0, (32,))
    assert (recipe.extractor, recipe.mask) == ("imagenet", False)


def test_rate_warms_up_and_falls():
    recipe = HiderConfig(steps=1000, warmup=100, learning_rate=1e-3, final_rate=0.1)
    rates = [recipe.rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) < 1e-3
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)
    constant = HiderConfig(steps=1000, warmup=1, final_rate=1.0)
    assert len({constant.rate(step) for step in range(1000)}) == 1


def test_sources(covers, tmp_path):
    shutil.copy(covers / "0.png", covers / "notes.txt")
    for source in (FolderCrops(covers), RandomDrawings(0)):
        drawn, again = (source.draw(np.random.default_rng(0), 3, 24).pictures for _ in range(2))
        assert drawn.shape == (3, 3, 24, 24)
        assert np.array_equal(drawn, again)
        assert not np.array_equal(drawn[0], drawn[1])
    with pytest.raises(FileNotFoundError, match="expected pictures"):
        FolderCrops(tmp_path / "nothing")


def test_a_banks_contact_sheet_is_no_secret(tmp_path):
    bank = small_bank(tmp_path)
    shutil.rmtree(tmp_path / "images")
    pictures = sorted(bank.folder / picture.file for of_class in bank.classes for picture in of_class.pictures)
    assert FolderCrops(tmp_path).files == FolderCrops(bank.folder).files == pictures
    (bank.folder / BANK).unlink()
    assert FolderCrops(bank.folder).files == [*pictures, bank.folder / SHEET]


def test_crops_smaller_than_asked_are_enlarged_and_bombs_refused(tmp_path, monkeypatch):
    Image.new("RGB", (10, 12)).save(tmp_path / "a.png")
    assert FolderCrops(tmp_path).draw(np.random.default_rng(0), 1, 32).pictures.shape == (1, 3, 32, 32)
    monkeypatch.setattr("unlearnable.images.photos.MAX_PIXELS", 100)
    with pytest.raises(ValueError, match=r"a\.png: more than 100 pixels.*take it out"):
        FolderCrops(tmp_path).draw(np.random.default_rng(0), 1, 32)
