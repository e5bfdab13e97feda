"""CIFAR from its official files: what they hold is what is read, and what is wrong with them is said."""

import os
import pickle

import numpy as np
import pytest
import torch

from official import CIFAR10, CIFAR100, pack, tar_with
from unlearnable import load
from unlearnable.datasets.cifar import Cifar10, Cifar100
from unlearnable.datasets.official import read_official

TEST = {"cifar10": (CIFAR10, "test_batch"), "cifar100": (CIFAR100, "test")}


@pytest.fixture(scope="module")
def pictures():
    """As many as a test split has."""
    return {name: files.pictures(10_000) for name, (files, _) in TEST.items()}


@pytest.fixture
def write(monkeypatch):
    """Writes made-up files of either version, which torchvision is told to take for the official ones."""

    def write(version, files, folder, name, pixels, labels):
        getattr(files, f"write_{version}")(folder, name, pixels, labels)
        if version == "python":
            files.trust(folder, monkeypatch)

    return write


@pytest.mark.parametrize("name", TEST)
@pytest.mark.parametrize("version", ["binary", "python"])
def test_a_whole_split(name, version, pictures, write, tmp_path):
    files, part = TEST[name]
    pixels, labels = pictures[name]
    write(version, files, tmp_path, part, pixels, labels)
    loaded = load(f"{name}:root={tmp_path},split=test")
    assert np.array_equal(loaded.images, pixels.reshape(-1, 3, 32, 32))
    assert np.array_equal(loaded.labels, labels)
    assert loaded.classes == tuple(files.names)
    few = load(f"{name}:root={tmp_path},split=test,per_class=2")
    assert torch.equal(few.images, loaded.images[: 2 * files.classes])


@pytest.mark.parametrize("version", ["binary", "python"])
def test_planes_are_red_green_and_blue(version, write, tmp_path):
    record = np.repeat(np.array([[10, 20, 30]], np.uint8), 1024, axis=1)
    write(version, CIFAR10, tmp_path, "test_batch", record, np.array([3], np.uint8))
    loaded = read_official(tmp_path, "test", Cifar10.official)
    assert loaded.images[0, :, 5, 7].tolist() == [10, 20, 30] and loaded.labels.tolist() == [3]


@pytest.mark.parametrize("version", ["binary", "python"])
def test_parts_come_in_order(version, write, tmp_path):
    parts = {f"data_batch_{part}": CIFAR10.pictures(20, seed=part) for part in (3, 1, 5, 2, 4)}
    for name, part in parts.items():
        write(version, CIFAR10, tmp_path, name, *part)
    loaded = read_official(tmp_path, "train", Cifar10.official)
    expected = np.concatenate([parts[f"data_batch_{part}"][0] for part in range(1, 6)])
    assert np.array_equal(loaded.images.flatten(1), expected)


@pytest.mark.parametrize("version", ["binary", "python"])
def test_the_archive_itself(version, write, tmp_path):
    folder = tmp_path / "cifar-100"
    folder.mkdir()
    write(version, CIFAR100, folder, "test", *CIFAR100.pictures(200))
    (folder / "readme.html").write_text("not needed")
    official = Cifar100.official
    packed = read_official(pack(folder, tmp_path / "cifar-100.tar.gz"), "test", official)
    assert torch.equal(packed.images, read_official(folder, "test", official).images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-100", "cifar-100.tar.gz"]


def test_the_folder_in_which_torchvision_unpacks(write, tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    write("python", CIFAR10, folder, "test_batch", *CIFAR10.pictures(30))
    whole = [read_official(root, "test", Cifar10.official) for root in (tmp_path, folder)]
    assert len(whole[0]) == 30 and torch.equal(whole[0].images, whole[1].images)


def refused(message, name="cifar10", root="", error=ValueError, split="test"):
    with pytest.raises(error, match=message):
        load(f"{name}:root={root},split={split}")


def test_a_file_that_is_cut_short(pictures, tmp_path):
    pixels, labels = pictures["cifar10"]
    CIFAR10.write_binary(tmp_path, "test_batch", pixels, labels)
    file = tmp_path / "test_batch.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    refused(r"test_batch\.bin: expected records of 3,073 bytes, got 30,729,999 bytes.*fetch it again", root=tmp_path)
    file.write_bytes(whole[: 3073 * 9_999])
    refused(r"expected 10,000 pictures.*1,000 of every class, got 9,999, among them 999 of class_09", root=tmp_path)
    file.write_bytes(b"")
    refused(r"test_batch\.bin: expected records of 3,073 bytes, got 0 bytes", root=tmp_path)


def test_classes_that_are_cut_short(pictures, tmp_path):
    CIFAR100.write_binary(tmp_path, "test", *pictures["cifar100"])
    names = tmp_path / CIFAR100.binary_names
    names.write_text("\n".join([*CIFAR100.names, "another"]))
    refused("expected 100 classes.*got 101", "cifar100", tmp_path)
    names.write_text("\n".join(CIFAR100.names[:50]))
    refused("labels below 50", "cifar100", tmp_path)


def test_files_that_are_missing(tmp_path):
    refused(r"official files of CIFAR10 .*test_00\.webp", root=tmp_path, error=FileNotFoundError)
    refused(r"train_00\.webp", root=tmp_path / "nowhere", error=FileNotFoundError, split="train")
    CIFAR10.write_binary(tmp_path, "data_batch_1", *CIFAR10.pictures(10))
    refused(r"found no data_batch_2\.bin, data_batch_3", root=tmp_path, error=FileNotFoundError, split="train")
    CIFAR10.write_python(tmp_path, "test_batch", *CIFAR10.pictures(10))
    (tmp_path / "data_batch_4").unlink()
    refused(r"expected data_batch_1, .* found no data_batch_4$", root=tmp_path, error=FileNotFoundError)


def test_another_data_sets_files(tmp_path):
    CIFAR100.write_binary(tmp_path, "test", *CIFAR100.pictures(100))
    (tmp_path / "test.bin").rename(tmp_path / "test_batch.bin")
    (tmp_path / CIFAR100.binary_names).rename(tmp_path / CIFAR10.binary_names)
    refused("expected records of 3,073 bytes", root=tmp_path)


def test_archives_that_are_broken_or_too_large(tmp_path):
    CIFAR10.write_binary(tmp_path, "test_batch", *CIFAR10.pictures(20))
    archive = pack(tmp_path, tmp_path.parent / f"{tmp_path.name}.tar.gz")
    archive.write_bytes(archive.read_bytes()[:20_000])
    refused("expected a whole .tar.gz, got a broken one", root=archive)
    archive.write_bytes(b"no archive")
    refused("expected a whole .tar.gz", root=archive)
    refused("larger than anything", root=tar_with(archive, "cifar-10-batches-bin/of_no_interest", 1 << 40))


class Malicious:
    """What it is unpickled to is what its function returns."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("changed", ["test_batch", "data_batch_3", "batches.meta"])
def test_nothing_is_unpickled_but_the_official_files(changed, write, tmp_path):
    write("python", CIFAR10, tmp_path, "test_batch", *CIFAR10.pictures(20))
    (tmp_path / changed).write_bytes(pickle.dumps(Malicious(os.system, f"touch {tmp_path / 'trace'}")))
    refused(rf"expected the official CIFAR10 as \S*/{changed}, got other bytes .MD5.; fetch it again", root=tmp_path)
    assert not (tmp_path / "trace").exists()


def test_the_sheets(data):
    root = data / "cifar10"
    test = load(f"cifar10:root={root},split=test")
    assert test.images.shape == (10_000, 3, 32, 32)
    assert test.classes[:3] == ("airplane", "automobile", "bird")
    assert torch.bincount(test.labels).tolist() == [1000] * 10
    assert test.labels[:5].tolist() == [3, 8, 8, 0, 6]  # the official order
    few = load(f"cifar10:root={root},split=test,per_class=7")
    assert torch.bincount(few.labels).tolist() == [7] * 10
    assert torch.equal(few.images[0], test.images[0])


def test_a_sheet_that_is_missing(data, tmp_path):
    for file in [*(data / "cifar10").glob("test_*.webp"), data / "cifar10" / "labels.npz"]:
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "test_09.webp").unlink()
    refused("expected 10 sheets of 1,000 pictures.*found 9", root=tmp_path)
