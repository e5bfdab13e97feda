"""The weights that ship: what they hide outlives countermeasures; that of the paper's losses correlates at most 0.1."""

import pytest
import torch

from unlearnable import countermeasure_named, load, protection_named
from unlearnable.hiding.inference import DEFAULT, GENERATIONS, generation_of, weights_digest, weights_named
from unlearnable.hiding.masking import luma
from unlearnable.hiding.network import Hider
from unlearnable.semantics.render import STYLES


@pytest.fixture(scope="module")
def hidden():
    """Pictures, the same published, and their secrets."""
    data, protection = load("toy:size=64,count=16"), protection_named("deep_hiding:per=sample")
    return data.images, protection(data, seed=0).images, protection.hidden(data, 0)


def centred(pictures):
    plane = luma(pictures.float())
    return (plane - plane.mean((2, 3), keepdim=True)).flatten(1)


@pytest.mark.parametrize(
    ("countermeasure", "least"),
    [
        ("gray", 0.75),
        ("mean", 0.65),
        ("median", 0.5),
        ("jpeg:quality=50", 0.6),
        ("jpeg:quality=10", 0.4),
        ("bdr", 0.35),
    ],
)
def test_the_difference_still_shows_the_secret(hidden, countermeasure, least):
    images, published, secrets = hidden
    handle = countermeasure_named(countermeasure).transform
    correlation = torch.cosine_similarity(centred(handle(published)) - centred(handle(images)), centred(secrets))
    assert correlation.mean() > least


@pytest.mark.parametrize("name", GENERATIONS)
def test_a_generation_is_reached_by_its_name_and_hides_drawings_that_there_are(name):
    hider = Hider.load(weights_named(name))
    assert hider.drawings in STYLES
    assert (weights_named(name) / "README.md").is_file()  # its model card
    assert generation_of(weights_digest(weights_named(name))) == name


def test_the_default_is_a_generation_and_strangers_are_refused():
    assert weights_named() == weights_named("") == weights_named(DEFAULT)
    assert generation_of("") is None
    with pytest.raises(FileNotFoundError, match="a folder with weights or a hub id"):
        weights_named("../nowhere")
