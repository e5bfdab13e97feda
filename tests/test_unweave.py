"""The attacker who reads the drawings and takes their waves out."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from sets import labelled
from unlearnable import Key, countermeasure_named
from unlearnable.semantics.render import FOURTH, scene
from unlearnable.training.countermeasure import Knowledge

KEY = Key(bytes(range(32)))
SIDE = 192


def photographs():
    """Four crops of two photographs, (4, 3, SIDE, SIDE), in grey levels."""
    pictures = [load_sample_image(f"{name}.jpg").transpose(2, 0, 1) for name in ("china", "flower")]
    crops = [picture[:, 20 : 20 + SIDE, left : left + SIDE] for picture in pictures for left in (60, 260)]
    return np.stack(crops).astype(float)


def waves(label):
    """What a drawing of a class alternates, in yellow and blue, of RMS 6 as published."""
    tone = scene(KEY, label, FOURTH).tone(SIDE, SIDE)
    change = (tone - tone.mean())[None] * np.array([[[0.3]], [[0.3]], [[-1.0]]])
    return 6 * change / np.sqrt((change**2).mean())


@pytest.mark.parametrize("label", [0, 3, 7])
def test_the_waves_are_found_and_taken_out_whatever_their_lengths(label):
    clean, added = photographs(), waves(label)
    published = torch.from_numpy((clean + added).round().clip(0, 255).astype(np.uint8))
    unwoven = countermeasure_named("unweave").purify(labelled(published, 1), Knowledge()).images.double().numpy()
    before, after = (((one - clean) * added).sum((1, 2, 3)) / (added**2).sum() for one in (published.numpy(), unwoven))
    assert (before > 0.8).all()
    assert np.median(after) < 0.4
    assert np.abs(unwoven - clean).mean() < np.abs(published.numpy() - clean).mean()


def test_small_pictures_come_as_they_are():
    images = torch.randint(0, 256, (3, 3, 63, 100), dtype=torch.uint8)
    assert torch.equal(countermeasure_named("unweave").purify(labelled(images, 1), Knowledge()).images, images)


def test_the_tested_pictures_come_as_they_are_unless_it_is_asked_for():
    images = torch.from_numpy((photographs() + waves(3)).clip(0, 255).astype(np.uint8))
    assert torch.equal(countermeasure_named("unweave").deploy(images), images)
    assert not torch.equal(countermeasure_named("unweave:test=true").deploy(images), images)
