"""Files that appear whole or not at all, whoever else writes them."""

import os
import shutil
import subprocess
import sys
import time
from subprocess import PIPE

import pytest

from unlearnable.storage.atomic import _runs, replacing, write

KILLED = """
import os, signal, sys
from pathlib import Path
from unlearnable.storage.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
SLOW = """
import sys
from pathlib import Path
from unlearnable.storage.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("whole")
    print("begun", flush=True)
    input()
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


def test_another_container_of_the_same_name_is_not_swept(tmp_path):
    """Its processes have numbers of their own, which stand for nothing, or for something else, out here."""
    file, number = tmp_path / "a.json", next(number for number in range(20_000, 30_000) if not _runs(number + 1))
    script = f'echo {number} > /proc/sys/kernel/ns_last_pid && "$@" || exit 1'  # the next process has the next number
    apart = ["unshare", "--pid", "--fork", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"]).returncode:
        pytest.skip("needs the right to begin a pid namespace")
    with subprocess.Popen([*apart, sys.executable, "-c", SLOW, file], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout.readline() == "begun\n"
        (begun,) = tmp_path.iterdir()
        write(tmp_path / "b.json", "whole")
        assert begun.exists()
        other.communicate("go on\n")
    assert other.returncode == 0 and file.read_text() == "whole"


def test_what_was_left_elsewhere_goes_after_a_day(tmp_path):
    (tmp_path / "before").mkdir()
    for folder, age in ((tmp_path, 60 * 60), (tmp_path / "before", 25 * 60 * 60)):
        left = folder / f".{'0' * 16}-{'1' * 16}-{2**22 + 1}.partial"  # of no process of this machine
        left.write_text("half")
        os.utime(left, (time.time() - age,) * 2)
        write(folder / "a.json", "whole")
        assert left.exists() == (folder == tmp_path)


def test_a_file_that_fails_midway_is_as_before(tmp_path):
    file = tmp_path / "a.json"
    write(file, "before")
    with pytest.raises(ValueError, match="no more"), replacing(file) as temporary:
        temporary.write_text("half")
        raise ValueError("no more")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
