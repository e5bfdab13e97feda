"""The source is laid out so that one finds one's way; which room may import which stands in pyproject.toml."""

import re
import tomllib
from pathlib import Path

import unlearnable

ROOT = Path(unlearnable.__file__).parent
WRITTEN = {".py", ".j2", ".css", ".js"}


def test_no_file_is_long() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in ROOT.rglob("*")
        if file.suffix in WRITTEN
    }
    assert len(lengths) > 100
    assert not {file: length for file, length in lengths.items() if length > 300}


def test_few_modules_are_loose_at_the_root() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 5


def test_every_room_says_in_a_line_what_it_holds() -> None:
    rooms = [folder for folder in ROOT.iterdir() if (folder / "__init__.py").is_file()]
    assert 15 <= len(rooms) <= 20
    assert all((room / "__init__.py").read_text().startswith('"""') for room in rooms)


def test_the_drawing_shows_the_floors_that_are_checked() -> None:
    project = ROOT.parents[1]
    contract = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = [{room.strip() for room in layer.split("|")} for layer in contract["layers"]]
    drawn = re.findall(r'y="(\d+)" class="r">(\w+)<', (project / "docs" / "structure.svg").read_text())
    by_height: dict[int, set[str]] = {}
    for height, room in drawn:
        by_height.setdefault(int(height), set()).add(room)
    assert [by_height[height] for height in sorted(by_height)] == floors
