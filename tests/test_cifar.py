"""CIFAR from its official files: what they hold is what is read, and what is wrong with them is said."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch

from official import CIFAR10, CIFAR100, pack, python2, tar_with
from unlearnable import load
from unlearnable.datasets.cifar import Cifar10, Cifar100
from unlearnable.datasets.official import read_official
from unlearnable.datasets.pickles import Kept, RefusedPickleError, byte_array, read_pickle

TEST = {"cifar10": (CIFAR10, "test_batch"), "cifar100": (CIFAR100, "test")}


@pytest.fixture(scope="module")
def pictures():
    """As many as a test split has."""
    return {name: files.pictures(10_000) for name, (files, _) in TEST.items()}


@pytest.mark.parametrize("name", TEST)
@pytest.mark.parametrize("version", ["binary", "python"])
def test_a_whole_split(name, version, pictures, tmp_path):
    files, part = TEST[name]
    pixels, labels = pictures[name]
    getattr(files, f"write_{version}")(tmp_path, part, pixels, labels)
    loaded = load(f"{name}:root={tmp_path},split=test")
    assert np.array_equal(loaded.images, pixels.reshape(-1, 3, 32, 32))
    assert np.array_equal(loaded.labels, labels)
    assert loaded.classes == tuple(files.names)
    few = load(f"{name}:root={tmp_path},split=test,per_class=2")
    assert torch.equal(few.images, loaded.images[: 2 * files.classes])


def test_planes_are_red_green_and_blue(tmp_path):
    record = np.repeat(np.array([[10, 20, 30]], np.uint8), 1024, axis=1)
    CIFAR10.write_binary(tmp_path, "test_batch", record, np.array([3], np.uint8))
    loaded = read_official(tmp_path, "test", Cifar10.official)
    assert loaded.images[0, :, 5, 7].tolist() == [10, 20, 30] and loaded.labels.tolist() == [3]


@pytest.mark.parametrize("version", ["binary", "python"])
def test_parts_come_in_order(version, tmp_path):
    parts = {f"data_batch_{part}": CIFAR10.pictures(20, seed=part) for part in (3, 1, 5, 2, 4)}
    for name, part in parts.items():
        getattr(CIFAR10, f"write_{version}")(tmp_path, name, *part)
    loaded = read_official(tmp_path, "train", Cifar10.official)
    expected = np.concatenate([parts[f"data_batch_{part}"][0] for part in range(1, 6)])
    assert np.array_equal(loaded.images.flatten(1), expected)


@pytest.mark.parametrize("version", ["binary", "python"])
def test_the_archive_itself(version, tmp_path):
    folder = tmp_path / "cifar-100"
    folder.mkdir()
    getattr(CIFAR100, f"write_{version}")(folder, "test", *CIFAR100.pictures(200))
    (folder / "readme.html").write_text("not needed")
    official = Cifar100.official
    packed = read_official(pack(folder, tmp_path / "cifar-100.tar.gz"), "test", official)
    assert torch.equal(packed.images, read_official(folder, "test", official).images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar-100", "cifar-100.tar.gz"]  # nothing unpacked


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
    refused(r"test_batch\.bin.*test_00\.webp", root=tmp_path, error=FileNotFoundError)
    refused(r"train_00\.webp", root=tmp_path / "nowhere", error=FileNotFoundError, split="train")
    CIFAR10.write_binary(tmp_path, "data_batch_1", *CIFAR10.pictures(10))
    refused(r"found no data_batch_2\.bin, data_batch_3", root=tmp_path, error=FileNotFoundError, split="train")


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
    refused("larger than anything", root=tar_with(archive, "cifar-10-batches-bin/test_batch.bin", 1 << 40))
    refused("larger than anything", root=tar_with(archive, "cifar-10-batches-bin/of_no_interest", 1 << 40))


def test_a_file_that_is_too_large(tmp_path):
    with (tmp_path / "test_batch.bin").open("wb") as file:
        file.truncate(1 << 40)  # takes no space
    refused("expected at most", root=tmp_path)


def test_the_written_pickles_are_what_python_2_writes():
    pixels, labels = CIFAR10.pictures(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy 1 called its modules otherwise
        stored = pickle.loads(python2({b"data": pixels, b"labels": labels.tolist()}), encoding="bytes")
    assert np.array_equal(stored[b"data"], pixels) and stored[b"labels"] == [0, 1, 2, 3]


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_either_order(order):
    pixels = np.asarray(CIFAR10.pictures(4)[0], order=order)
    assert np.array_equal(byte_array(read_pickle(python2({b"data": pixels}))[b"data"]), pixels)


class Malicious:
    """What it is unpickled to is what its function returns."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, eval, np.load, np.frombuffer, getattr, np.dtype])
def test_a_pickle_runs_nothing(function, protocol, tmp_path):
    trace = tmp_path / "trace"
    content = pickle.dumps({"data": Malicious(function, f"touch {trace}")}, protocol)
    if function is np.dtype:  # a name that may stand there: even that is not called
        assert isinstance(read_pickle(content)["data"], Kept)
    else:
        with pytest.raises(RefusedPickleError, match=rf"asks to run .*{function.__name__}"):
            read_pickle(content)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no pickle", id="text"),
        pytest.param(python2({b"data": b"long"})[:-3], id="cut short"),
        pytest.param(python2([1, 2]), id="a list"),
        pytest.param(b"\x80\x02cnumpy\ndtype\n}(Vx\nI1\nub.", id="state set on what a name stands for"),
        pytest.param(b"\x80\x02Pid\n.", id="a persistent id"),
        pytest.param(b"\x80\x02\x82\x01.", id="an extension code"),
        pytest.param(b"\x80\x04\x8c\x02os\x8c\x0bpath.system\x93.", id="a dotted name"),
    ],
)
def test_what_is_no_such_pickle(content):
    with pytest.raises(RefusedPickleError):
        read_pickle(content)


def test_a_pickle_in_place_of_a_batch(tmp_path):
    pixels, labels = CIFAR10.pictures(20)
    CIFAR10.write_python(tmp_path, "test_batch", pixels, labels)
    file = tmp_path / "test_batch"
    file.write_bytes(pickle.dumps(Malicious(os.system, "true")))
    refused(r"test_batch: it asks to run (posix|nt)\.system", root=tmp_path)
    for stored, message in [
        ({b"data": pixels}, "expected a list of int as its labels"),
        ({b"data": pixels, b"labels": [b"cat"] * 20}, "expected a list of int as its labels"),
        ({b"data": pixels, b"labels": [1000] * 20}, "range"),
        ({b"data": pixels, b"labels": [1]}, "expected 1 pictures of 3,072 bytes"),
        ({b"data": pixels.astype(np.int64), b"labels": [1] * 20}, "matrix of bytes"),
        ({b"data": b"bytes", b"labels": [1] * 20}, "matrix of bytes"),
    ]:
        file.write_bytes(python2(stored))
        refused(message, root=tmp_path)


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
