"""Files that appear whole or not at all, whoever else writes them."""

import os
import subprocess
import sys

import pytest

from unlearnable.storage.atomic import replacing, write

KILLED = """
import os, signal, sys
from pathlib import Path
from unlearnable.storage.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_processes_that_write_one_file_do_not_meet(tmp_path):
    file = tmp_path / "a.json"
    with replacing(file) as ours:
        ours.write_text("ours")
        imports = "from pathlib import Path; from unlearnable.storage.atomic import write"
        other = f"{imports}; write(Path({str(file)!r}), 'theirs')"
        subprocess.run([sys.executable, "-c", other], check=True)
        assert file.read_text() == "theirs"
    assert file.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path):
    file = tmp_path / "a.json"
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([sys.executable, "-c", KILLED, file], check=True)
    (left,) = tmp_path.iterdir()
    alive = left.with_name(left.name.replace(left.stem.rpartition("-")[2], str(os.getppid())))
    alive.write_text("somebody is writing this")
    write(file, "whole")
    assert set(tmp_path.iterdir()) == {file, alive}


def test_a_file_that_fails_midway_is_as_before(tmp_path):
    file = tmp_path / "a.json"
    write(file, "before")
    with pytest.raises(ValueError, match="no more"), replacing(file) as temporary:
        temporary.write_text("half")
        raise ValueError("no more")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
