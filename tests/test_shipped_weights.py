"""The weights that ship: what they hide outlives countermeasures; that of the paper's losses correlates at most 0.1."""

import pytest
import torch

from unlearnable import countermeasure_named, load, protection_named
from unlearnable.hiding.masking import luma


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
