from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sets import labelled, noisy
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.protections.ops import scores

COLOURS = [np.array(colour) for colour in product((0.0, 1.0), repeat=3)]


def brute_force(data, pixels=1):
    """The search as it is written: every pixel, every colour, all pictures; class by class."""
    images = data.images.numpy() / 255
    published, taken = images.copy(), set()
    for label in range(len(data.classes)):
        own = np.flatnonzero(data.labels.numpy() == label)
        ranked = []
        for place in np.ndindex(images.shape[2:]):
            for number, colour in enumerate(COLOURS):
                distance = np.abs(colour - images[own][:, :, *place])
                ranked.append((distance.mean() / distance.std(), place, number))
        values = np.sort([score for score, _, _ in ranked])
        assume((np.diff(values) > 1e-9 * values[:-1]).all())  # of equals rounding takes any
        here = set()
        for _, place, number in sorted(ranked, reverse=True):
            if len(here) < pixels and (place, number) not in taken and place not in here:
                taken.add((place, number))
                here.add(place)
                published[own, :, *place] = COLOURS[number]
    return torch.from_numpy(published * 255).round().to(torch.uint8)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(1, 3), st.integers(1, 6), st.integers(2, 5))
def test_equals_brute_force(seed, classes, pixels, height, width):
    data = labelled(noisy(classes * 3 + 1, height, width, seed), classes)
    try:
        published = protection_named(f"ops:budget=l0:{pixels}")(data, seed)
    except ValueError:
        assert pixels > height * width or classes * pixels > 8 * height * width
    else:
        assert torch.equal(published.images, brute_force(data, pixels))


def test_scores_are_exact():
    images = noisy(700, 3, 4, seed=5)  # of several chunks
    for number, colour in enumerate(COLOURS):
        distance = np.abs(colour[:, None, None] - images.numpy() / 255)
        expected = distance.mean((0, 1)) / distance.std((0, 1))
        np.testing.assert_allclose(scores(images.numpy(), np.arange(700))[number], expected, rtol=1e-12)


def test_no_two_classes_share_pixel_and_colour():
    plain = torch.full((12, 3, 4, 4), 200, dtype=torch.uint8)  # everybody would like the same: black, anywhere
    data = labelled(plain + noisy(12, 4, 4) // 32, 10)
    published = protection_named("ops")(data).images
    marks = set()
    for label in range(10):
        (changed,) = ((published != data.images).any(1) & (data.labels == label)[:, None, None]).any(0).nonzero()
        colours = published[data.labels == label][:, :, *changed].unique(dim=0)
        assert len(colours) == 1 and set(colours.flatten().tolist()) <= {0, 255}
        marks.add((*changed.tolist(), *colours[0].tolist()))
    assert len(marks) == 10


def test_what_never_varies_is_ranked_by_its_mean():
    images = torch.full((4, 3, 3, 3), 128, dtype=torch.uint8)
    images[:, :, 1, 2] = 250  # black is farther from it than anything from any other pixel
    images[:, :, 0, 0] = 255  # and farther from this one
    assert protection_named("ops")(labelled(images, 1)).images[:, :, 0, 0].unique().tolist() == [0]
    published = protection_named("ops")(labelled(images, 2)).images
    assert published[0, :, 0, 0].tolist() == [0] * 3 and published[1, :, 1, 2].tolist() == [0] * 3


def test_as_many_classes_as_pixels_and_colours_serve():
    names = tuple(map(str, range(33)))
    images, labels = noisy(33, 2, 2), torch.arange(33)
    published = protection_named("ops")(ImageSet(images[:32], labels[:32], names)).images
    assert (published != images[:32]).any(1).sum((1, 2)).max() == 1
    with pytest.raises(ValueError, match="2x2 px, which are enough for 32 classes; use larger"):
        protection_named("ops")(ImageSet(images, labels, names))


def test_the_budget_is_the_sparsity():
    data = labelled(noisy(8, 6, 6))
    for budget, pixels in (("l0:1", 1), ("l0:5", 5), ("linf:255", 1)):
        change = protection_named(f"ops:budget={budget}").perturb(data, 0)
        assert change.any(1).sum((1, 2)).tolist() == [pixels] * 8
    with pytest.raises(ValueError, match="a colour of 37 pixels for every class"):
        protection_named("ops:budget=l0:37")(data)
