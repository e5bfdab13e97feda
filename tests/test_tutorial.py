"""The tutorial runs from its first cell to its last, and what it claims is so: its cells assert it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
pytest.importorskip("nbclient", reason="needs nbclient")
pytest.importorskip("ipykernel", reason="needs ipykernel")

FILE = Path(__file__).parents[1] / "examples" / "tutorial.ipynb"


def printed(notebook):
    """What every cell of code prints, without figures and seals, which differ a little between machines."""
    texts = ("".join(output.get("text", "") for output in cell.get("outputs", ())) for cell in notebook.cells)
    return [re.sub(r"[\d.]+", "0", re.sub(r"sealed: \w+", "sealed", text)) for text in texts]


def test_the_tutorial_runs_and_says_what_is_stored(tmp_path):
    copy = tmp_path / FILE.name
    copy.write_bytes(FILE.read_bytes())
    words = [sys.executable, "-c", "from nbclient.cli import main; main()", "--inplace", "--timeout=600", copy]
    done = subprocess.run(
        words, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run, stored = (nbformat.read(file, as_version=4) for file in (copy, FILE))
    said = "\n".join(printed(run))
    assert "everything holds: True" in said and "trained on the copies: shown" in said
    innocent = {"innocent: shown", "innocent: not shown"}  # by definition it is shown in one of fifty
    assert [re.sub("|".join(innocent), "innocent", text) for text in printed(run)] == [
        re.sub("|".join(innocent), "innocent", text) for text in printed(stored)
    ]


def test_what_is_stored_is_small_and_read_in_ten_minutes():
    notebook = nbformat.read(FILE, as_version=4)
    nbformat.validate(notebook)
    assert FILE.stat().st_size < 150_000
    words = sum(len(cell.source.split()) for cell in notebook.cells)
    assert words < 2000  # at two hundred a minute
    assert [cell.cell_type for cell in notebook.cells[:2]] == ["markdown", "code"]
    assert all(cell.outputs or "import" in cell.source for cell in notebook.cells if cell.cell_type == "code")
