"""Hugging Face data sets, as saved on disk: nothing is fetched."""

import io
import sys

import numpy as np
import pytest
import torch

from samples import picture
from unlearnable import load

library = pytest.importorskip("datasets", reason="needs the extra hub")

NAMES = ["cat", "dog", "owl"]


def pictures(count: int = 6, side: int = 32, first: int = 0):
    return [picture(first + index, side, side) for index in range(count)]


def table(images, labels, split="train", **more):
    features = library.Features(
        img=library.Image(),
        label=library.ClassLabel(names=NAMES),
        **{name: kind for name, (kind, _) in more.items()},
    )
    columns = {"img": images, "label": labels} | {name: values for name, (_, values) in more.items()}
    return library.Dataset.from_dict(columns, features, split=split)


def saved(stored, folder):
    stored.save_to_disk(str(folder))
    return f"hub:path={folder},size=32"


def test_pictures_labels_and_names(tmp_path):
    images = pictures()
    loaded = load(saved(table(images, [2, 0, 1, 1, 0, 2]), tmp_path / "set"))
    expected = np.stack([np.asarray(image) for image in images]).transpose(0, 3, 1, 2)
    assert np.array_equal(loaded.images, expected)  # at their own size, pixel for pixel
    assert loaded.labels.tolist() == [2, 0, 1, 1, 0, 2]
    assert loaded.classes == tuple(NAMES)


def test_a_file_is_read_as_in_a_folder(tmp_path):
    """Upright, whatever its mode; in the table or beside it."""
    exif = picture().getexif()
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    picture(3, 60, 40).save(buffer, "JPEG", exif=exif)
    (tmp_path / "folder" / "cat").mkdir(parents=True)
    (tmp_path / "folder" / "cat" / "a.jpg").write_bytes(buffer.getvalue())
    picture(4, 50, 70).convert("L").save(tmp_path / "folder" / "cat" / "b.png")
    files = [{"bytes": buffer.getvalue(), "path": None}, str(tmp_path / "folder" / "cat" / "b.png")]
    loaded = load(saved(table(files, [0, 0]), tmp_path / "set"))
    assert torch.equal(loaded.images, load(f"folder:path={tmp_path / 'folder'},size=32").images)


def test_splits(tmp_path):
    splits = {"train": table(pictures(4), [0, 1, 2, 0]), "test": table(pictures(2, first=9), [1, 2], "test")}
    spec = saved(library.DatasetDict(splits), tmp_path / "both")
    assert len(load(spec)) == 4
    assert load(f"{spec},split=test").labels.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"expected a split of .*\(train, test\), got 'val'"):
        load(f"{spec},split=val")
    spec = saved(splits["test"], tmp_path / "one")
    assert len(load(f"{spec},split=test")) == 2
    with pytest.raises(ValueError, match="expected test as split, the only one"):
        load(spec)


def test_columns_are_found_or_named(tmp_path):
    coarse = {"coarse": (library.ClassLabel(names=["pet", "bird"]), [0, 0])}
    spec = saved(table(pictures(2), [0, 1], **coarse), tmp_path / "two")
    with pytest.raises(ValueError, match=r"expected label= to name a column of ClassLabel.*label, coarse"):
        load(spec)
    assert load(f"{spec},label=coarse").classes == ("pet", "bird")
    assert load(f"{spec},label=label,image=img").classes == tuple(NAMES)
    with pytest.raises(ValueError, match="expected image= to name a column of Image, got 'image'; there are: img"):
        load(f"{spec},label=label,image=image")
    numbers = library.Dataset.from_dict({"img": pictures(2), "label": [3, 4]}).cast_column("img", library.Image())
    with pytest.raises(ValueError, match=r"there are: none \(class_encode_column"):
        load(saved(numbers, tmp_path / "numbers"))


@pytest.mark.parametrize("label", [None, -1])
def test_pictures_without_a_label(label, tmp_path):
    with pytest.raises(ValueError, match="expected a label of every picture, 1 of 3"):
        load(saved(table(pictures(3), [0, label, 1]), tmp_path / "set"))


@pytest.mark.parametrize("content, reason", [(b"no picture", "not a JPEG"), (b"", "there is none")])
def test_a_broken_picture(content, reason, tmp_path):
    files = [*pictures(1), {"bytes": content, "path": None}]
    with pytest.raises(ValueError, match=rf"picture 1 of .*set: {reason}"):
        load(saved(table(files, [0, 1]), tmp_path / "set"))


def test_a_data_set_of_the_hub(monkeypatch):
    """What is asked of the library, which would fetch it."""
    asked = []

    def fetch(*words, **options):
        asked.append((words, options))
        return table(pictures(3), [0, 1, 2])

    monkeypatch.setattr(library, "load_dataset", fetch)
    assert len(load("hub:name=somebody/pets,split=train[:3],size=32,revision=abc")) == 3
    assert len(load("hub:name=somebody/pets,config=small,split=test,size=32")) == 3
    assert asked == [
        (("somebody/pets", None), {"split": "train[:3]", "revision": "abc"}),
        (("somebody/pets", "small"), {"split": "test", "revision": None}),
    ]


def test_what_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="expected the folder of a saved data set"):
        load(f"hub:path={tmp_path / 'nothing'}")
    with pytest.raises(FileNotFoundError):
        load(f"hub:path={tmp_path}")  # a folder, but no data set
    for spec in ("hub", "hub:name=a,path=b"):
        with pytest.raises(ValueError, match="expected hub:name=… for a data set of the hub, or hub:path=…"):
            load(spec)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'unlearnable\[hub\]'"):
        load("hub:name=a")
