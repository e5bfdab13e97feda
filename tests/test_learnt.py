"""Pictures that are made against a network which has learnt them first."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from unlearnable import protect_folder
from unlearnable.accuse.ownership import Ownership
from unlearnable.datasets import load
from unlearnable.hiding.surrogates import SURROGATES
from unlearnable.hiding.targeting import Targeting, pairs_of
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.protections.learnt import Learnt, is_learnt

CPU = torch.device("cpu")
NAME = "resnet9:width=4"
PULLING = f"deep_hiding:pull=0.3,surrogates={NAME}"


@pytest.fixture(scope="module")
def toy():
    return load("toy:size=32,count=60")


@pytest.fixture(scope="module")
def learnt(toy):
    return Learnt.of(NAME, toy, 0, CPU)


def test_a_victim_is_learnt_and_what_has_weights_is_not():
    assert is_learnt("resnet9") and is_learnt("resnet18")
    assert not any(map(is_learnt, (*SURROGATES, "efficientnet_lite1", "resnet18@file.safetensors")))


def test_it_has_learnt_the_pictures(toy, learnt):
    answers = learnt.directions(toy.images.float() / 255)
    assert answers.shape == (len(toy), len(toy.classes))
    assert torch.allclose(answers.exp().sum(1), torch.ones(len(toy)), atol=1e-4)
    assert (answers.argmax(1) == toy.labels).float().mean() > 0.9
    assert torch.equal(learnt.centres, torch.eye(len(toy.classes)))


def test_the_same_seed_gives_the_same_network_for_use(toy, learnt):
    again = Learnt.of(NAME, toy, 0, CPU)
    weights, same = learnt.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not learnt.model.training and not any(weight.requires_grad for weight in learnt.model.parameters())


@pytest.mark.parametrize(("size", "sizes"), [(32, (26, 32)), (64, (51, 64)), (96, (51, 80))])
def test_it_sees_pictures_at_about_the_size_at_which_it_learnt_them(size, sizes):
    assert Learnt.of("resnet9:width=1", load(f"toy:size={size},count=4"), 0, CPU).sizes == sizes


def test_pulled_pictures_are_taken_for_the_class_of_the_pair(toy, learnt):
    pairs = pairs_of(Key.of_seed(0), len(toy.classes))
    change = Targeting([learnt], pairs, 0)(toy.images, torch.zeros(toy.images.shape), toy.labels)
    published = (toy.images + 4 * change).clamp(0, 255) / 255
    before, after = (learnt.directions(images) for images in (toy.images.float() / 255, published))
    rows = torch.arange(len(toy))
    assert torch.all(after[rows, toy.labels] < before[rows, toy.labels])
    assert (after.argmax(1) == pairs[toy.labels]).float().mean() > 0.4


def test_one_class_has_nothing_to_be_told_from(toy):
    alone = toy[toy.labels == 0]
    with pytest.raises(ValueError, match="expected pictures of two classes or more"):
        protection_named(PULLING).changes(alone, 0)
    with pytest.raises(ValueError, match="unknown among the victims: 'nobody'"):
        replace(protection_named(PULLING), surrogates="nobody").changes(toy, 0)


def test_a_folder_is_pulled_away_from_what_it_teaches(tmp_path):
    rng = np.random.default_rng(0)
    for name, colour in {"red": (200, 90, 90), "blue": (90, 90, 200)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            noise = rng.normal(colour, 40, (40, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")
    for copies in ("copies", "again"):
        report = protect_folder(tmp_path / "photos", tmp_path / copies, key=tmp_path / "key", method=PULLING)
    assert report.summary["protected"] == 8 and not report.summary["over_budget"]
    assert report.options["surrogates"] == NAME
    assert not Ownership.of(tmp_path / "copies", tmp_path / "key", "render", None).pulls  # most is hidden: secrets tell
    files = [file.relative_to(tmp_path / "copies") for file in sorted((tmp_path / "copies").rglob("*.png"))]
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "copies" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    with pytest.raises(ValueError, match="two classes or more, got one class"):
        protect_folder(tmp_path / "photos" / "red", tmp_path / "one", key=tmp_path / "key", method=PULLING)
    assert not (tmp_path / "one").exists()
