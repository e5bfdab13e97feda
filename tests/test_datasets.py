"""Folders and drawn shapes by name."""

import pytest
import torch

from unlearnable import load


def test_folder(photos):
    loaded = load(f"folder:path={photos},size=24")
    assert loaded.images.shape == (5, 3, 24, 24)
    assert loaded.classes == ("cat", "dog", "owl")
    assert loaded.labels.tolist() == [0, 0, 1, 1, 2]
    (photos / "cat" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"cat/broken\.png: not a JPEG.*take it out"):
        load(f"folder:path={photos}")
    with pytest.raises(FileNotFoundError, match="expected pictures"):
        load("folder:path=/nowhere")


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    toy = load("toy:count=40")
    toy.save(tmp_path / "toy")
    loaded = load(f"folder:path={tmp_path / 'toy'},size=16").relabelled(toy.classes)
    by_class = torch.cat([torch.nonzero(toy.labels == toy.classes.index(name))[:, 0] for name in sorted(toy.classes)])
    assert torch.equal(loaded.images, toy.images[by_class]) and torch.equal(loaded.labels, toy.labels[by_class])


def test_toy():
    toy = load("toy:count=200")
    assert toy.images.shape == (200, 3, 16, 16)
    assert set(toy.labels.tolist()) == {0, 1, 2, 3}
    assert torch.equal(toy.images, load("toy:count=200").images)
    assert not torch.equal(toy.images, load("toy:count=200,seed=1").images)
