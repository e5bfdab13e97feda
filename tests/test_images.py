from dataclasses import replace

import numpy as np
import pytest
import torch

from samples import opened, picture
from sets import labelled, noisy
from unlearnable import ImageSet
from unlearnable.images.imageset import fingerprint, to_bytes


@pytest.fixture
def data():
    return labelled(noisy(11), 3)


def test_labels_must_fit():
    images = torch.from_numpy(np.asarray(picture()).transpose(2, 0, 1).copy())[None]
    for label in (1, -1):
        with pytest.raises(ValueError, match="labels below 1"):
            ImageSet(images, torch.tensor([label]), ("only",))
    with pytest.raises(ValueError, match="as many labels"):
        ImageSet(images[:0], torch.tensor([], dtype=torch.int64), ("only",))


def test_a_part_keeps_pictures_and_labels_together(data):
    places = torch.tensor([7, 0, 10])
    for chosen in (slice(2, 9, 3), places, torch.arange(11) % 2 == 0):
        part = data[chosen]
        assert torch.equal(part.images, data.images[chosen]) and torch.equal(part.labels, data.labels[chosen])
        assert part.classes == data.classes and len(part) == len(part.labels)


def test_the_first_of_every_class_in_order(data):
    turned = data[torch.tensor([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0])]  # classes b, a, c, b, a, c …
    assert torch.equal(turned.first(2).images, turned.images[:6])
    assert len(turned.first(3)) == 9
    with pytest.raises(ValueError, match="at least 4 pictures of c, got 3"):
        turned.first(4)


def test_labels_follow_the_names_of_their_classes(data):
    other = data.relabelled(("x", "c", "b", "a"))
    assert other.classes == ("x", "c", "b", "a") and torch.equal(other.images, data.images)
    assert [other.classes[label] for label in other.labels] == [data.classes[label] for label in data.labels]


def test_two_sets_in_one(data):
    other = labelled(noisy(2, seed=1), 3)
    both = data.joined(other)
    assert (
        len(both) == 13 and torch.equal(both[:11].images, data.images) and torch.equal(both[11:].images, other.images)
    )
    assert torch.equal(both.labels, torch.cat([data.labels, other.labels]))
    with pytest.raises(ValueError, match="two sets of the same classes"):
        data.joined(replace(data, classes=("a", "b", "d")))


def test_saved_as_files_of_the_same_pixels(data, tmp_path):
    data.save(tmp_path / "deep" / "set")
    files = sorted((tmp_path / "deep" / "set").rglob("*.*"), key=lambda file: file.name)
    assert [(file.parent.name, file.name) for file in files] == [
        (data.classes[label], f"{index:02}.png") for index, label in enumerate(data.labels)
    ]
    for file, image in zip(files, data.images, strict=True):
        assert np.array_equal(np.asarray(opened(file)), image.permute(1, 2, 0).numpy())
    with pytest.raises(FileExistsError, match="expected a new folder"):
        data.save(tmp_path / "deep" / "set")


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/b", "..", ""])
def test_a_class_name_leads_nowhere_else(name, tmp_path):
    data = labelled(noisy(2), classes=2)
    with pytest.raises(ValueError, match="names of folders"):
        ImageSet(data.images, data.labels, ("cat", name)).save(tmp_path / "deep" / "set")
    assert not list(tmp_path.iterdir())


def test_grey_levels_are_rounded_half_to_even_and_clamped():
    levels = torch.tensor([-3.0, -0.4, 0.5, 1.5, 2.5, 254.6, 255.5, 900.0]).view(1, 1, 1, 8).expand(1, 3, 1, 8)
    assert to_bytes(levels)[0, 0, 0].tolist() == [0, 0, 0, 2, 2, 255, 255, 255]


def test_a_fingerprint_is_of_every_pixel_however_they_lie_in_memory(data):
    own = fingerprint(data)
    assert own == fingerprint(replace(data, images=data.images.contiguous(memory_format=torch.channels_last)))
    changed = data.images.clone()
    changed[3, 1, 2, 4] ^= 1
    others = [replace(data, images=images) for images in (changed, data.images.transpose(2, 3), data.images.mT.mT + 0)]
    assert [fingerprint(other) == own for other in others] == [False, False, True]
