import json
import shutil

import numpy as np
import pytest
from PIL import Image

from banks import small_bank
from samples import picture
from unlearnable.semantics.bank import BANK, Bank, encoded


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return small_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built.folder, tmp_path / "bank")


def change(folder, **fields):
    stored = json.loads((folder / BANK).read_text()) | fields
    (folder / BANK).write_text(json.dumps(stored))


def test_what_is_saved_is_loaded(built):
    assert Bank.load(built.folder) == built
    assert built.picture(0, 1).shape == (32, 32, 3)
    assert built.shape(0).shape == (32, 32)
    with Image.open(built.folder / "sheet.png") as sheet:
        assert sheet.size == (3 * 100 + 4, 4 * 100 + 4)


def test_a_fingerprint_is_that_of_the_pictures_in_their_order(built, folder):
    assert Bank.load(folder).fingerprint == built.fingerprint
    change(folder, options={}, distances={})
    assert Bank.load(folder).fingerprint == built.fingerprint
    change(folder, classes=json.loads((folder / BANK).read_text())["classes"][::-1])
    assert Bank.load(folder).fingerprint != built.fingerprint


def test_no_bank(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"expected bank\.json .*semantics build"):
        Bank.load(tmp_path)
    (folder / BANK).write_text("{")
    with pytest.raises(ValueError, match="is not a bank"):
        Bank.load(folder)


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"version": 2}, "expected version 1, got 2"),
        ({"hello": 1}, "is not a bank"),
        ({"classes": 3}, "is not a bank"),
        ({"classes": [3]}, "is not a bank"),
        ({"classes": []}, "expected classes"),
        ({"classes": [{"name": "a", "pictures": []}]}, "pictures in every class .* none in a"),
        (
            {"classes": [{"name": "a", "pictures": [{"file": "../a.png", "seed": 1, "sha256": ""}]}]},
            "leaves the folder",
        ),
        ({"complete": False}, "has not come to its end"),
    ],
)
def test_broken(folder, fields, reason):
    change(folder, **fields)
    with pytest.raises(ValueError, match=reason):
        Bank.load(folder)


def test_missing_and_changed_pictures(built, folder):
    name = built.classes[2].pictures[1].file
    picture(3, 32, 32).save(folder / name)
    with pytest.raises(ValueError, match="has changed since the bank was built"):
        Bank.load(folder).picture(2, 1)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        Bank.load(folder)


def test_pngs_of_one_picture_are_the_same():
    pixels = np.asarray(picture()).transpose(2, 0, 1)
    assert encoded(pixels) == encoded(pixels.copy())
