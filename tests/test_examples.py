"""The examples run, the demo proves what it says, and the README's quick start is what the Makefile offers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from samples import opened

ROOT = Path(__file__).parents[1]
DEMO = {"demo.py", "audit_digits.py", "accuse_digits.py"}  # have tests of their own


def run(script, *words):
    """Its output; on one thread, as several wait for each other where other tests take the cores."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    words = [sys.executable, ROOT / script, *map(str, words)]
    done = subprocess.run(words, capture_output=True, text=True, env=alone)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_demo_with_the_pictures_that_need_no_download(tmp_path):
    shown = run("examples/demo.py", "--out", tmp_path)
    assert re.search(r"(\d+) pictures protected, 0 skipped; \1 checked again from the files, 0 with violations", shown)
    looked_at = re.findall("look at (.*)", shown)
    assert looked_at and all(Path(file).exists() for file in looked_at)
    assert opened(tmp_path / "side_by_side.png").width > 1000
    assert "| flower | 1 |" in (tmp_path / "table.md").read_text()


def test_demo_with_ones_own_photos(tmp_path, photos):
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    assert "5 pictures protected" in run("examples/demo.py", "--out", tmp_path / "demo", "--photos", photos)
    assert before == {path: path.read_bytes() for path in photos.rglob("*.*")}


def test_the_audit_of_the_demo_shows_what_protection_does_and_what_undoes_it(tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(32)))  # the same secrets in every test
    shown = run("examples/audit_digits.py", tmp_path)
    cells = (line.strip("| ").split(" | ") for line in shown.splitlines() if line.startswith("|"))
    rows = {name: figures for name, *figures in cells}
    clean, published = (float(rows["vanilla"][column]) for column in (0, 2))
    assert clean > 60 and published < 20
    assert "that something is wrong" in shown  # the collapse is told
    assert (tmp_path / "audit" / "audit.html").stat().st_size > 20_000


def test_the_demo_finds_who_trained_on_its_copies(tmp_path):
    (tmp_path / "key").write_bytes(bytes(range(32)))
    guilty, innocent = (
        line for line in run("examples/accuse_digits.py", tmp_path).splitlines() if "classifier" in line
    )
    assert "trained on the copies: Shown" in guilty
    assert "innocent: " in innocent  # decoys are drawn anew: in one of a hundred runs it is shown, too
    for place in ("trained_on_the_copies", "innocent"):
        assert (tmp_path / "accusation" / place / "judgement.html").is_file()


@pytest.mark.parametrize("script", sorted({path.name for path in (ROOT / "examples").glob("*.py")} - DEMO))
def test_every_other_example(script, tmp_path):
    run(f"examples/{script}", tmp_path)


def test_the_quick_start_is_two_commands():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    section = readme.split("## Quick start")[1].split("\n## ")[0]
    commands = [line for block in re.findall(r"```\w*\n(.*?)```", section, re.S) for line in block.splitlines()]
    assert [command.split("#")[0].strip() for command in commands] == ["make demo", "make test"]
    assert all(f"\n{target}:" in makefile for target in ("demo", "test"))


def test_no_address_of_an_index_is_pinned():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.+!\-]+", line), line
