"""What a file says becomes typed values, or a message that says where, what was expected and what came."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from unlearnable.storage.decode import UnknownNameError, check_inside, decode, expecting, from_json, from_yaml


@dataclass(frozen=True)
class Part:
    name: str
    weight: float = 1.0

    def __post_init__(self):
        if self.weight < 0:
            raise ValueError(f"expected a weight of at least 0, got {self.weight}")


@dataclass(frozen=True)
class Whole:
    count: int
    right: bool
    place: Path
    parts: tuple[Part, ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()
    of: Part | None = None
    notes: dict[str, Any] = field(default_factory=dict)


def test_every_kind_of_value():
    text = """{"count": 3, "right": true, "place": "a/b", "parts": [{"name": "x", "weight": 2}],
    "rows": [[1, 2], []], "of": {"name": "y"}, "notes": {"any": [1, "a", null]}}"""
    expected = Whole(3, True, Path("a/b"), (Part("x", 2.0),), ((1, 2), ()), Part("y"), {"any": [1, "a", None]})
    assert from_json(text, Whole) == expected
    assert isinstance(from_json(text, Whole).parts[0].weight, float)
    assert decode({"count": 3, "right": False, "place": "", "of": None}, Whole) == Whole(3, False, Path())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 2.0}, "expected a whole number for count, got 2.0"),
        ({"count": True}, "expected a whole number for count, got True"),
        ({"right": 1}, "expected true or false for right, got 1"),
        ({"place": 7}, "expected a path for place, got 7"),
        ({"parts": {"name": "x"}}, r"expected a list for parts, got \{'name': 'x'\}"),
        ({"parts": [{"name": "x"}, {"name": None}]}, r"expected a text for parts\[1\]\.name, got None"),
        ({"parts": [{"weight": 2.0}]}, r"expected name for parts\[0\], got weight"),
        ({"of": {"name": "x", "weight": "2"}}, r"expected a number for of\.weight, got '2'"),
        ({"of": {"name": "x", "weight": -1.0}}, "expected a weight of at least 0, got -1.0"),
        ({"rows": [[1, "2"]]}, r"expected a whole number for rows\[0\]\[1\], got '2'"),
        ({"notes": {3: 4}}, "expected a text for notes, got 3"),
        ({"of": {"name": "x", "length": 1}}, "unknown name for of: length; known: name, weight"),
    ],
)
def test_a_message_says_where_what_was_expected_and_what_came(change, message):
    with pytest.raises(ValueError, match=message):
        decode({"count": 3, "right": True, "place": ""} | change, Whole)


def test_unknown_names_are_told_from_damage():
    with pytest.raises(UnknownNameError):
        decode({"name": "x", "new": 1}, Part)
    with pytest.raises(ValueError, match="expected name, got nothing") as error:
        decode({}, Part)
    assert not isinstance(error.value, UnknownNameError)


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "1.e-4", "0.0001", "1E-4"])
def test_yaml_has_the_numbers_that_people_write(text):
    assert from_yaml(f"rate: {text}") == {"rate": 1e-4}


def test_yaml_of_something_else():
    assert from_yaml("a: 1e\nb: e4\nc: 1-2\nd: '1e4'") == {"a": "1e", "b": "e4", "c": "1-2", "d": "1e4"}
    for text, message in (("- 1", "expected names and values for --set, got"), ("{", "expected YAML for --set: ")):
        with pytest.raises(ValueError, match=message):
            from_yaml(text, "--set")


def test_yaml_makes_no_objects():
    with pytest.raises(ValueError, match="expected YAML"):
        from_yaml("a: !!python/object/apply:os.getcwd []")


def test_the_file_is_named():
    with (
        pytest.raises(ValueError, match=r"a\.json is not a part: expected name, got nothing"),
        expecting("a part", Path("a.json")),
    ):
        decode({}, Part)


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b"])
def test_paths_stay_inside(path):
    check_inside("a/b..c/d")
    with pytest.raises(ValueError, match="leaves the folder"):
        check_inside(path)
