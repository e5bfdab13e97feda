"""The paper's subset, of drawn folders and of real photographs."""

import shutil

import pytest
import torch

from samples import picture
from unlearnable import load
from unlearnable.datasets import datasets
from unlearnable.datasets.checks import duplicates, matched

TRAIN = {"n03": 20, "n01": 10, "n02": 2, "n09": 5}  # pictures a class


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagenet")
    for seed, (wnid, count) in enumerate(TRAIN.items()):
        for split, copies in {"train": count, "val": 3}.items():
            (folder / split / wnid).mkdir(parents=True)
            for index in range(copies):
                name = f"{wnid}_{index}.JPEG" if split == "train" else f"ILSVRC2012_val_{index}.JPEG"
                picture(1000 * seed + index + 500 * (split == "val"), 40, 24).save(folder / split / wnid / name)
    return folder


def drawn(root, rest=""):
    return datasets.make(f"imagenet:root={root},classes=3{rest}").files()


def test_a_fifth_of_every_class(root):
    files = drawn(root)
    assert list(files) == ["n01", "n02", "n03"]  # the first ids
    assert [len(of_class) for of_class in files.values()] == [2, 1, 4]
    for wnid, of_class in files.items():
        assert of_class == sorted(set(of_class)) and all(file.parent == root / "train" / wnid for file in of_class)
    assert [len(of_class) for of_class in drawn(root, ",fraction=0.5").values()] == [5, 1, 10]
    assert [len(of_class) for of_class in drawn(root, ",fraction=1").values()] == [10, 2, 20]


def test_the_seed_decides(root):
    assert drawn(root) == drawn(root)
    assert any(drawn(root) != drawn(root, f",seed={seed}") for seed in (1, 2))
    often = [file.name for seed in range(40) for file in drawn(root, f",seed={seed}")["n03"]]
    assert len(set(often)) == 20  # any picture may be drawn, the first and the last too


def test_a_class_is_drawn_whatever_the_others_have(root, tmp_path):
    shutil.copytree(root, tmp_path / "more")
    picture(7).save(tmp_path / "more" / "train" / "n01" / "n01_10.JPEG")
    names, others = ([file.name for file in drawn(place)["n03"]] for place in (root, tmp_path / "more"))
    assert names == others


def test_val_is_whole_and_disjoint(root):
    spec = f"imagenet:root={root},classes=3,size=16"
    train, val = load(spec), load(f"{spec},split=val")
    assert train.images.shape == (7, 3, 16, 16) and train.labels.tolist() == [0, 0, 1, 2, 2, 2, 2]
    assert len(val) == 9 and val.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert matched(train, val).classes == train.classes
    assert duplicates(train, val) == 0
    whole = load(f"folder:path={root / 'train'},size=16")
    assert duplicates(train, whole) == 7


@pytest.mark.parametrize(
    "rest, error, message",
    [
        ("", ValueError, "expected 100 classes in .*train, found 4; see classes="),
        (",split=test", ValueError, "expected imagenet:split as train or val, got 'test'"),
    ],
)
def test_what_makes_no_sense(root, rest, error, message):
    with pytest.raises(error, match=message):
        load(f"imagenet:root={root}{rest}")


def test_what_is_not_there(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the folder .*train"):
        load(f"imagenet:root={tmp_path}")
    shutil.copytree(root, tmp_path / "lacking")
    for file in (tmp_path / "lacking" / "train" / "n02").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"expected pictures in .*n02, found none"):
        load(f"imagenet:root={tmp_path / 'lacking'},classes=3")


def test_real_photographs(data):
    spec = f"imagenet:root={data / 'imagenette'},classes=10,size=32"
    train, val = load(f"{spec},fraction=0.1"), load(f"{spec},split=val")
    assert torch.bincount(train.labels).tolist() == [25] * 10 and torch.bincount(val.labels).tolist() == [50] * 10
    assert train.classes == val.classes and train.classes[0] == "n01440764"
    assert duplicates(train, val) == 0
