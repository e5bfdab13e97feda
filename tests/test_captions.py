import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import picture
from unlearnable.semantics.captions import read_captions


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.jpg", "000000000042.jpg", "COCO_val2014_000000000007.jpg"):
        picture().save(folder / name)
    return folder


def write(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_json(tmp_path, images):
    file = write(tmp_path, "c.json", json.dumps({"a.jpg": ["A dog .", " ", " A cat . "], "gone.jpg": ["A bird ."]}))
    captions = read_captions(file, images)
    assert [(c.text, c.picture) for c in captions.captions] == [
        ("A dog .", "a.jpg"),
        ("A cat .", "a.jpg"),
        ("A bird .", None),
    ]
    assert captions.without_picture == 1
    assert captions.pictures == {"a.jpg"}
    assert captions.path(captions.captions[0]) == images / "a.jpg"


def test_csv_of_coco_under_both_names(tmp_path, images):
    rows = ["\ufeffimage_id,source,prompt,evaluation_seed", '42,coco,"A dog, a cat.",1', "000000000007,coco,A bird.,2"]
    captions = read_captions(write(tmp_path, "c.csv", "\n".join([*rows, "8,coco,A fish.,3", "9,coco,,4"])), images)
    assert [(c.text, c.picture) for c in captions.captions] == [
        ("A dog, a cat.", "000000000042.jpg"),
        ("A bird.", "COCO_val2014_000000000007.jpg"),
        ("A fish.", None),
    ]


@pytest.mark.parametrize(
    "name, text",
    [
        ("c.json", "[1, 2]"),
        ("c.json", '{"a.jpg": "A dog ."}'),
        ("c.json", '{"a.jpg": [1]}'),
        ("c.json", '{"../a.jpg": ["A dog ."]}'),
        ("c.json", "no json"),
        ("c.csv", "a,b\n1,2"),
        ("c.csv", "image_id,prompt\nforty-two,A dog."),
    ],
)
def test_something_else(tmp_path, images, name, text):
    with pytest.raises(ValueError, match="expected JSON"):
        read_captions(write(tmp_path, name, text), images)


def test_bytes_that_are_no_text(tmp_path, images):
    (tmp_path / "c.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ValueError, match="expected JSON"):
        read_captions(tmp_path / "c.json", images)


def test_nothing_there(tmp_path, images):
    file = write(tmp_path, "c.csv", "image_id,prompt\n8,A fish.")
    with pytest.raises(ValueError, match=r"1 captions .* none of their photographs .* 000000000008\.jpg or COCO"):
        read_captions(file, images)
    with pytest.raises(ValueError, match="0 captions"):
        read_captions(write(tmp_path, "e.json", "{}"), images)
    with pytest.raises(FileNotFoundError, match="file of captions"):
        read_captions(tmp_path / "missing.json", images)
    with pytest.raises(FileNotFoundError, match="folder of the captions"):
        read_captions(file, tmp_path / "missing")


@given(content=st.binary(max_size=60))
def test_any_bytes_are_captions_or_one_readable_reason(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    for name in ("c.json", "c.csv"):
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"expected JSON|captions in"):
            read_captions(folder / name, folder)


def test_the_papers_list(data, images):
    file = data / "coco_30k_prompts.csv"
    first = file.read_text().splitlines()[1].split(",")[0]
    picture().save(images / f"{int(first):012}.jpg")
    captions = read_captions(file, images)
    assert len(captions.captions) == 30_000
    assert captions.captions[0].picture == f"{first}.jpg"
    assert captions.without_picture > 29_900
