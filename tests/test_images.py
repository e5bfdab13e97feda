import numpy as np
import pytest
import torch

from samples import picture
from unlearnable import ImageSet, load


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


def test_toy():
    toy = load("toy:count=200")
    assert toy.images.shape == (200, 3, 16, 16)
    assert set(toy.labels.tolist()) == {0, 1, 2, 3}
    assert torch.equal(toy.images, load("toy:count=200").images)
    assert not torch.equal(toy.images, load("toy:count=200,seed=1").images)


def test_cifar10(data):
    test = load(f"cifar10:root={data / 'cifar10'},split=test")
    assert test.images.shape == (10_000, 3, 32, 32)
    assert test.classes[:3] == ("airplane", "automobile", "bird")
    assert torch.bincount(test.labels).tolist() == [1000] * 10
    assert test.labels[:5].tolist() == [3, 8, 8, 0, 6]  # the official order
    few = load(f"cifar10:root={data / 'cifar10'},split=test,per_class=7")
    assert torch.bincount(few.labels).tolist() == [7] * 10
    assert torch.equal(few.images[0], test.images[0])


def test_cifar10_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train_00\.webp"):
        load(f"cifar10:root={tmp_path}")


def test_labels_must_fit():
    images = torch.from_numpy(np.asarray(picture()).transpose(2, 0, 1).copy())[None]
    with pytest.raises(ValueError, match="labels below 1"):
        ImageSet(images, torch.tensor([1]), ("only",))
    with pytest.raises(ValueError, match="as many labels"):
        ImageSet(images[:0], torch.tensor([], dtype=torch.int64), ("only",))
