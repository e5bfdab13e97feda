"""Original, protected, difference, hidden and revealed, side by side: each is what it says."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_sample_image

from banks import small_bank
from samples import opened
from unlearnable import Key, protect_folder, reveal_folder
from unlearnable.folder.manifest import read_manifest
from unlearnable.folder.preview import side_by_side
from unlearnable.semantics.secrets import secrets_named


@pytest.fixture
def job(tmp_path, photos):
    def run(**options):
        return protect_folder(photos, tmp_path / "out", key=tmp_path / "key", device="cpu", **options)

    return run


@pytest.fixture
def preview(tmp_path, photos, monkeypatch):
    """The pictures that `side_by_side` draws of some files, by file and title."""
    drawn = []
    savefig = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **how: (drawn.append(figure), savefig(figure, *args)))

    def draw(*files, **options):
        side_by_side(photos, tmp_path / "out", tmp_path / "key", tmp_path / "sheet.png", files=files, **options)
        axes = drawn.pop().axes
        columns = len(axes) // len(files)
        return {
            file: {ax.get_title(): np.asarray(ax.images[0].get_array()) for ax in axes[row * columns :][:columns]}
            for row, file in enumerate(files)
        }

    return draw


def pixels(file):
    return np.asarray(opened(file).convert("RGB"))


@pytest.mark.parametrize("per", ["class", "sample"])
@pytest.mark.parametrize("source", ["render", "bank"])
def test_hidden_is_what_was_hidden_and_revealed_what_its_weights_reveal(
    job, preview, photos, tmp_path, weights, per, source
):
    secrets = small_bank(tmp_path / "semantics", classes=4).folder if source == "bank" else "render"
    job(per=per, secrets=secrets, weights=weights)
    files = ("cat/a.png", "dog/a.jpg", "dog/c.png")
    rows = preview(*files, secrets=secrets, weights=weights)
    reveal_folder(tmp_path / "out", tmp_path / "revealed", weights=weights)
    entries, given = read_manifest(tmp_path / "out"), secrets_named(secrets, Key.read(tmp_path / "key"))
    for file in files:
        entry, row = entries[file], rows[file]
        assert list(row) == ["original", "protected", "difference x8", "hidden", "revealed"]
        assert np.array_equal(row["original"], pixels(photos / file))
        assert np.array_equal(row["protected"], pixels(tmp_path / "out" / entry.output))
        hidden = given.draw(entry.secret_number, entry.variation, entry.height, entry.width)
        assert np.array_equal(row["hidden"], hidden.transpose(1, 2, 0))
        assert np.array_equal(row["revealed"], pixels(tmp_path / "revealed" / entry.output))


def test_what_was_not_used_is_refused_and_the_error_names_what_to_give(job, preview, tmp_path, weights):
    bank = small_bank(tmp_path / "semantics", classes=4).folder
    job(secrets=bank, weights=weights)
    with pytest.raises(ValueError, match=r"expected secrets of bank:.* got render-2; name --secrets"):
        preview("cat/a.png", weights=weights)
    other = small_bank(tmp_path / "other", seed=1).folder
    with pytest.raises(ValueError, match=r"expected secrets of bank:.* got bank:"):
        preview("cat/a.png", secrets=other, weights=weights)
    with pytest.raises(ValueError, match=r"expected the weights .*: name the --weights with which"):
        preview("cat/a.png", secrets=bank)
    (tmp_path / "key").write_bytes(bytes(32))
    with pytest.raises(ValueError, match=r"expected the key .*; name its file"):
        preview("cat/a.png", secrets=bank, weights=weights)


def test_nothing_is_hidden_by_other_methods_and_nothing_shown_of_it(job, preview, photos, tmp_path):
    job(method="noise")
    (tmp_path / "key").unlink()  # it is not needed
    row = preview("owl/ö ü.png")["owl/ö ü.png"]
    assert list(row) == ["original", "protected", "difference x8"]
    assert np.array_equal(row["original"], pixels(photos / "owl" / "ö ü.png"))


def test_files_that_differ_in_the_suffix_alone_are_told_apart(job, preview, photos, tmp_path, weights):
    (photos / "dog" / "c.png").rename(photos / "dog" / "a.png")  # beside a.jpg
    job(weights=weights)
    rows = preview("dog/a.jpg", "dog/a.png", weights=weights)
    for file, copy in (("dog/a.jpg", "dog/a.jpg.png"), ("dog/a.png", "dog/a.png")):
        assert np.array_equal(rows[file]["original"], pixels(photos / file))
        assert np.array_equal(rows[file]["protected"], pixels(tmp_path / "out" / copy))


def test_the_drawing_that_is_read_stands_beside_what_is_revealed(preview, photos, tmp_path):
    Image.fromarray(load_sample_image("china.jpg")[::2, ::2]).save(photos / "owl" / "large.png")
    protect_folder(photos, tmp_path / "out", key=tmp_path / "key", strength="full")
    row = preview("owl/large.png")["owl/large.png"]
    assert list(row)[-2:] == ["revealed", "read in it"]
    reveal_folder(tmp_path / "out", tmp_path / "read", key=tmp_path / "key")
    reveal_folder(tmp_path / "out", tmp_path / "raw", raw=True)
    assert np.array_equal(row["read in it"], pixels(tmp_path / "read" / "owl" / "large.png"))
    assert np.array_equal(row["revealed"], pixels(tmp_path / "raw" / "owl" / "large.png"))
    assert not np.array_equal(row["revealed"], row["read in it"])
