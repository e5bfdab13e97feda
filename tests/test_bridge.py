import math

import pytest
import torch

from sets import labelled, noisy, smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.leaked import leaked_pairs
from unlearnable.images.imageset import ImageSet, to_bytes


def patterned(clean: ImageSet, amplitude: int = 8) -> ImageSet:
    """The same random signs in all pictures of a class."""
    signs = noisy(4, *clean.images.shape[-2:], seed=9) // 128 * 2.0 - 1
    return ImageSet(to_bytes(clean.images + amplitude * signs[clean.labels]), clean.labels, clean.classes)


def psnr(one, other) -> float:
    return -10 * math.log10((one.float() - other.float()).square().mean().item() / 255**2)


@pytest.fixture(scope="module")
def clean():
    return smooth(160, side=24)


def test_pictures_without_a_leaked_original_come_nearer_to_theirs(clean):
    published, leaked = patterned(clean), clean[:80]
    bridge = countermeasure_named("bridge:pairs=80,steps=250,channels=16")
    purified = bridge.purify(published, Knowledge(leaked, seed=1))
    before = psnr(published.images[80:], clean.images[80:])
    assert before == pytest.approx(20 * math.log10(255 / 8), abs=0.5)
    assert psnr(purified.images[80:], clean.images[80:]) > before + 5


def test_where_nothing_was_added_nothing_is_taken_away(clean):
    purified = countermeasure_named("bridge:pairs=8,steps=5,channels=4").purify(clean, Knowledge(clean))
    assert torch.equal(purified.images, clean.images)


def test_pairs_are_found_in_any_order(clean):
    published = patterned(clean)
    shuffled = clean[torch.randperm(160, generator=torch.Generator().manual_seed(0))]
    copies, originals = leaked_pairs(published, shuffled, 60, 0)
    assert len(copies) == len(originals) == 60
    assert torch.equal(copies.labels, originals.labels)
    assert (copies.images.float() - originals.images.float()).abs().max() <= 8
    assert len(set(copies.labels.tolist())) == 4  # drawn, not those of the first class


def test_protected_pairs_come_first(clean):
    images = clean.images.clone()
    images[:10] = patterned(clean).images[:10]
    published = ImageSet(images, clean.labels, clean.classes)
    copies, originals = leaked_pairs(published, clean, 20, 0)
    differs = [not torch.equal(*pair) for pair in zip(copies.images, originals.images, strict=True)]
    assert differs == [True] * 10 + [False] * 10


def test_pictures_of_another_set_are_no_originals(clean):
    with pytest.raises(ValueError, match=r"expected 20 leaked pairs, found the published copies of only \d of"):
        countermeasure_named("bridge").purify(clean, Knowledge(smooth(160, seed=5000)))
    with pytest.raises(ValueError, match="too few pairs"):
        countermeasure_named("bridge").purify(labelled(noisy(40)), Knowledge(labelled(noisy(40, seed=1))))


def test_too_few_are_refused_before_anything_is_made(clean):
    with pytest.raises(ValueError, match=r"originals of 200 leaked pairs, got 160 clean pictures"):
        countermeasure_named("bridge:pairs=200").check_serves(clean)
    countermeasure_named("bridge:pairs=160").check_serves(clean)
    with pytest.raises(ValueError, match="needs clean pictures"):
        countermeasure_named("bridge").purify(clean, Knowledge())


def test_originals_come_the_way_of_the_published_pictures(clean):
    reduced = countermeasure_named("size:pixels=16+bridge:pairs=8,steps=2,channels=4").purify(
        patterned(clean), Knowledge(clean)
    )
    assert reduced.images.shape == (len(clean), 3, 16, 16)
