"""Pictures that are made against a network which has learnt them first."""

import numpy as np
import pytest
import torch
from PIL import Image

from samples import red_and_blue
from unlearnable import protect_folder
from unlearnable.accuse.ownership import Ownership
from unlearnable.datasets import load
from unlearnable.folder.methods import Hiding
from unlearnable.hiding.surrogates import SURROGATES
from unlearnable.hiding.targeting import Targeting, pairs_of
from unlearnable.images.scan import scan
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.protections.learnt import Learnt, is_learnt
from unlearnable.protections.pulling import FROZEN, LEARNING, Pulling

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
    other = Learnt.of(NAME, toy, 1, CPU)
    weights, same, others = (one.model.state_dict() for one in (learnt, again, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not torch.equal(weights["head.weight"], others["head.weight"])
    assert not learnt.model.training and not any(weight.requires_grad for weight in learnt.model.parameters())


@pytest.mark.parametrize(("size", "sizes"), [(32, (26, 32)), (64, (51, 64)), (96, (51, 64))])
def test_it_sees_pictures_at_about_the_size_at_which_it_learnt_them(size, sizes):
    assert Learnt.of("resnet9:width=1", load(f"toy:size={size},count=4"), 0, CPU).sizes == sizes


@pytest.mark.parametrize("name", ["vgg19:multiplier=0.02", "vit:multiplier=0.05"])
def test_a_network_that_takes_one_size_alone_sees_pictures_at_that(name):
    assert Learnt.of(name, load("toy:size=32,count=4"), 0, CPU).sizes == (32, 32)


def test_pulled_pictures_are_taken_for_the_class_of_the_pair(toy, learnt):
    pairs = pairs_of(Key.of_seed(0), len(toy.classes))
    change = Targeting([learnt], pairs, 0)(toy.images, torch.zeros(toy.images.shape), toy.labels)
    published = (toy.images + 4 * change).clamp(0, 255) / 255
    before, after = (learnt.directions(images) for images in (toy.images.float() / 255, published))
    rows = torch.arange(len(toy))
    assert torch.all(after[rows, toy.labels] < before[rows, toy.labels])
    assert (after.argmax(1) == pairs[toy.labels]).float().mean() > 0.4


def test_what_cannot_be_learnt_is_refused_before_anything_is_made(toy):
    with pytest.raises(ValueError, match="expected pictures of two classes or more"):
        protection_named(PULLING).check_serves(toy[toy.labels == 0], 0)
    with pytest.raises(ValueError, match=r"expected surrogates among efficientnet_lite0, .* got 'efficientnet-lite0'"):
        protection_named("deep_hiding:pull=0.3,surrogates=efficientnet-lite0")
    with pytest.raises(ValueError, match=r"all have weights, or none of them, got resnet9.efficientnet_lite0"):
        protection_named("deep_hiding:pull=0.3,surrogates=resnet9+efficientnet_lite0")
    with pytest.raises(ValueError, match="learns the pictures from nothing"):
        Pulling.parse("resnet9:pretrained=file.safetensors")


def test_where_many_classes_are_fewer_of_each_are_looked_at():
    assert [LEARNING.each(classes) for classes in (10, 100, 30_000)] == [1000, 200, 1]
    assert [FROZEN.each(classes) for classes in (10, 100, 30_000)] == [32, 20, 1]


def test_a_folder_is_pulled_away_from_what_it_teaches(tmp_path):
    red_and_blue(tmp_path / "photos", 4)
    job = {"key": tmp_path / "key", "budget": "rms:8"}
    for copies in ("copies", "again"):
        report = protect_folder(tmp_path / "photos", tmp_path / copies, method=PULLING, **job)
    plain = protect_folder(tmp_path / "photos", tmp_path / "plain", **job)
    assert report.summary["protected"] == 8 and not report.summary["over_budget"]
    assert report.options["surrogates"] == NAME and "surrogates" not in plain.options
    assert not Ownership.of(tmp_path / "copies", tmp_path / "key", "render", None).pulls  # most is hidden: secrets tell
    files = [file.relative_to(tmp_path / "copies") for file in sorted((tmp_path / "copies").rglob("*.png"))]
    assert len(files) == 8
    for file in files:
        first, again, hidden = ((tmp_path / copies / file).read_bytes() for copies in ("copies", "again", "plain"))
        assert first == again != hidden
    assert protect_folder(tmp_path / "photos", tmp_path / "copies", method=PULLING, **job).summary["protected"] == 8
    with pytest.raises(ValueError, match=r"two classes or more, got 4 of '\.' alone"):
        protect_folder(tmp_path / "photos" / "red", tmp_path / "one", method=PULLING, classes="one", **job)
    assert not (tmp_path / "one").exists()


def test_what_is_made_for_small_pictures_is_not_lifted_for_jpeg(toy):
    """What was measured of two carriers on small pictures was not."""
    targeting = Pulling.parse(NAME).targeting(toy.images, toy.labels, len(toy.classes), Key.of_seed(0), CPU)
    assert targeting.lifted_at is None


def test_pictures_of_many_sizes_are_learnt_at_the_usual_one(tmp_path):
    rng = np.random.default_rng(0)
    for name, sides in {"red": [(40, 48), (200, 300)], "blue": [(48, 40), (20, 90)]}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number, (height, width) in enumerate(sides):
            noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")
    method = Hiding(protection_named(PULLING), 512, CPU)
    seen, labels, classes = _looked(method, tmp_path / "photos")
    assert seen.shape == (4, 3, 40, 40) and labels.tolist() == [0, 0, 1, 1] and classes == 2


def _looked(method, src):
    method.inspect(src, list(scan(src)))
    return method._look(["red", "blue"])
