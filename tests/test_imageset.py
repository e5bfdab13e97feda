from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samples import opened, picture
from sets import labelled, noisy
from unlearnable import ImageSet
from unlearnable.images.imageset import fingerprint, to_bytes

CLASSES = ("cat", "dog", "owl")
labels_of_some = st.lists(st.integers(0, 2), min_size=1, max_size=12)


def of(labels: list[int], seed: int = 0) -> ImageSet:
    """A small set, in which a class may have no picture."""
    return ImageSet(noisy(len(labels), 3, 4, seed), torch.tensor(labels), CLASSES)


def names(data: ImageSet) -> list[str]:
    return [data.classes[label] for label in data.labels]


def test_labels_must_fit():
    images = torch.from_numpy(np.asarray(picture()).transpose(2, 0, 1).copy())[None]
    with pytest.raises(ValueError, match="labels below 1"):
        ImageSet(images, torch.tensor([1]), ("only",))
    with pytest.raises(ValueError, match="labels below 1"):
        ImageSet(images, torch.tensor([-1]), ("only",))
    with pytest.raises(ValueError, match="as many labels"):
        ImageSet(images[:0], torch.tensor([], dtype=torch.int64), ("only",))


@given(labels_of_some, st.data())
def test_a_part_keeps_pictures_and_labels_together(labels, drawn):
    data = of(labels)
    chosen = torch.tensor(drawn.draw(st.lists(st.integers(0, len(data) - 1), min_size=1)))
    part = data[chosen]
    assert len(part) == len(chosen)
    assert torch.equal(part.images, data.images[chosen]) and torch.equal(part.labels, data.labels[chosen])
    first = data[data.labels == data.labels[0]]
    assert torch.equal(first.images[0], data.images[0]) and set(first.labels.tolist()) == {int(data.labels[0])}


@given(labels_of_some, st.integers(1, 5))
def test_the_first_of_each_class_in_their_order(labels, per_class):
    data = of(labels)
    counts = torch.bincount(data.labels, minlength=3)
    if counts.min() < per_class:
        poor = data.classes[int((counts < per_class).nonzero()[0])]
        with pytest.raises(ValueError, match=f"at least {per_class} pictures of {poor}, got"):
            data.first(per_class)
        return
    seen, expected = [0, 0, 0], []
    for place, label in enumerate(data.labels.tolist()):
        seen[label] += 1
        if seen[label] <= per_class:
            expected.append(place)
    first = data.first(per_class)
    assert torch.equal(first.images, data.images[expected]) and torch.equal(first.labels, data.labels[expected])


@given(labels_of_some, st.permutations(["cat", "dog", "owl", "yak"]))
def test_relabelled_pictures_keep_the_names_of_their_classes(labels, classes):
    data = of(labels)
    relabelled = data.relabelled(tuple(classes))
    assert relabelled.classes == tuple(classes)
    assert names(relabelled) == names(data)
    assert torch.equal(relabelled.images, data.images)


def test_a_class_that_the_new_order_lacks():
    with pytest.raises(ValueError, match="found no c, d"):
        labelled(noisy(4), 4).relabelled(("a", "b"))


@given(labels_of_some, labels_of_some)
def test_joined_sets_follow_one_another(labels, others):
    one, other = of(labels), of(others, seed=1)
    joined = one.joined(other)
    assert names(joined) == names(one) + names(other)
    assert torch.equal(joined[: len(one)].images, one.images) and torch.equal(joined[len(one) :].images, other.images)


def test_sets_of_other_classes_are_not_joined():
    with pytest.raises(ValueError, match=r"two sets of the same classes, got \('a', 'b'\) and \('a', 'b', 'c'\)"):
        labelled(noisy(4), 2).joined(labelled(noisy(4), 3))


def test_saved_as_files_named_after_their_places(tmp_path):
    data = labelled(noisy(12), 3)
    data.save(tmp_path / "deep" / "set")
    files = sorted((tmp_path / "deep" / "set").rglob("*.png"), key=lambda file: file.name)
    assert [file.name for file in files] == [f"{place:02}.png" for place in range(12)]
    assert [file.parent.name for file in files] == names(data)
    for file, image in zip(files, data.images, strict=True):
        assert np.array_equal(np.asarray(opened(file)), image.permute(1, 2, 0).numpy())
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "set"]


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("something else")
    for there in (tmp_path, tmp_path / "mine"):
        with pytest.raises(FileExistsError, match="expected a new folder"):
            labelled(noisy(4)).save(there)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_saving_that_was_killed_is_begun_anew(tmp_path, monkeypatch):
    data = labelled(noisy(4), 2)
    monkeypatch.setattr("PIL.Image.Image.save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        data.save(tmp_path / "set")
    assert not (tmp_path / "set").exists()
    monkeypatch.undo()
    data[:2].save(tmp_path / "set")
    assert sorted(file.name for file in tmp_path.rglob("*.png")) == ["0.png", "1.png"]


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/b", "..", ""])
def test_a_class_name_leads_nowhere_else(name, tmp_path):
    data = labelled(noisy(2), classes=2)
    with pytest.raises(ValueError, match="names of folders"):
        ImageSet(data.images, data.labels, ("cat", name)).save(tmp_path / "deep" / "set")
    assert not list(tmp_path.iterdir())


def test_bytes_are_rounded_half_to_even_and_clamped():
    values = torch.tensor([-3.0, 0.5, 1.5, 2.5, 254.4, 300.0]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_bytes(values)[0, 0, 0].tolist() == [0, 0, 2, 2, 254, 255]


def test_a_fingerprint_is_the_same_on_every_machine():
    images = torch.arange(2 * 3 * 2 * 4, dtype=torch.uint8).view(2, 3, 2, 4)
    assert fingerprint(ImageSet(images, torch.tensor([1, 0]), ("cat", "dög"))) == "a2bf72121a672613"


@given(labels_of_some)
def test_a_fingerprint_is_of_content_alone(labels):
    data = of(labels)
    strided = replace(data, images=data.images.flip(3).flip(3), labels=data.labels.repeat_interleave(2)[::2])
    last = data.images.contiguous(memory_format=torch.channels_last)
    assert fingerprint(data) == fingerprint(strided) == fingerprint(replace(data, images=last))


@given(labels_of_some, st.data())
def test_a_fingerprint_changes_with_every_pixel_label_name_and_shape(labels, drawn):
    data = of(labels)
    place = drawn.draw(st.integers(0, data.images.numel() - 1))
    images, changed = data.images.clone(), data.labels.clone()
    images.view(-1)[place] += 1
    changed[0] = (changed[0] + 1) % 3
    others = [
        replace(data, images=images),
        replace(data, labels=changed),
        replace(data, classes=("cat", "dog", "owls")),
        replace(data, images=data.images.view(len(data), 3, 4, 3)),
    ]
    assert fingerprint(data) not in {fingerprint(other) for other in others}
