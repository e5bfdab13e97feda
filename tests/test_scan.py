from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unlearnable.images.scan import LINKS, Found, output_names, scan

names = st.lists(
    st.tuples(
        st.sampled_from(["", "x/", "X/"]), st.sampled_from("abAB"), st.sampled_from([".jpg", ".png", ".PNG", ""])
    ),
    unique=True,
).map(lambda parts: ["".join(part) for part in parts])


@given(names, names)
def test_every_file_has_a_copy_of_its_own_whatever_came_before(first, later):
    kept = output_names(first, ".png", {})
    copies = output_names({*first, *later}, ".png", kept)
    folded = [copy.casefold() for copy in copies.values()]
    assert len(set(folded)) == len(folded) == len({*first, *later})
    assert all(copies[name] == kept[name] for name in first)
    assert all(copy.endswith((".png", ".PNG")) for copy in copies.values())
    assert all(Path(copy).parent == Path(name).parent for name, copy in copies.items())


def test_plain_names_stay_plain():
    assert output_names(["a/b.jpg", "a/c.PNG"], ".png", {}) == {"a/b.jpg": "a/b.png", "a/c.PNG": "a/c.png"}
    assert output_names(["b.jpg", "b.png"], ".png", {}) == {"b.jpg": "b.jpg.png", "b.png": "b.png"}


def test_scan(tmp_path):
    outside = tmp_path / "outside"
    source = tmp_path / "source"
    for file in (outside / "secret.png", source / "cat/deep/a.png", source / "b.png", source / ".DS_Store"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (source / "inside.png").symlink_to(source / "b.png")
    (source / "leaves.png").symlink_to(outside / "secret.png")
    (source / "leaves").symlink_to(outside)
    (source / "loop").symlink_to(source)
    (source / "nothing.png").symlink_to(source / "missing")
    found = {file.name: file.refused for file in scan(source)}
    assert found == {
        "b.png": None,
        "cat/deep/a.png": None,
        "inside.png": None,
        "leaves": f"a symbolic link that leaves the folder; {LINKS}",
        "leaves.png": f"a symbolic link that leaves the folder; {LINKS}",
        "loop": "a symbolic link to a folder, whose files are reached on their own",
        "nothing.png": "a symbolic link to nothing",
    }
    assert list(found) == sorted(found)


def test_classes():
    assert Found("cat/deep/a.png").class_name == "cat"
    assert Found("a.png").class_name == "."
