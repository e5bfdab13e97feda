"""One run at a time into one folder."""

import errno
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys

import pytest

from commands import run
from plans import TOY
from unlearnable import load
from unlearnable.storage.lock import LOCK, LockedError, locked

HOLDER = """
import sys
from pathlib import Path
from unlearnable.storage.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of a folder until it reads a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "out"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_the_first_is_and_gets_in_when_it_has_ended(holder, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):  # a failed attempt leaves the file as it is
        with pytest.raises(LockedError) as refused, locked(out):
            pass
        told = json.loads((out / LOCK).read_text())
        assert told.keys() == {"host", "process", "since"}
        assert told["host"] == platform.node() and told["process"] == holder.pid
        assert f"{out} is being written by another run (host {platform.node()}, process {holder.pid}, since 20" in str(
            refused.value
        )
        assert "wait until that one has ended, or stop it, or name another folder" in str(refused.value)
    holder.communicate("\n")
    assert holder.returncode == 0 and not out.exists()
    with locked(out):
        assert json.loads((out / LOCK).read_text())["process"] == os.getpid()


def test_one_that_was_killed_holds_nothing(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert str(holder.pid) in (tmp_path / "out" / LOCK).read_text()
    with locked(tmp_path / "out"):
        assert str(holder.pid) not in (tmp_path / "out" / LOCK).read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]  # the killed one had made the folder
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_was_made_for_nothing_goes_and_any_other_stays(tmp_path):
    with pytest.raises(ValueError, match="refused"), locked(tmp_path / "a" / "b"):
        raise ValueError("refused")
    assert not (tmp_path / "a").exists()
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "written").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["written"]
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty"):
        pass
    assert (tmp_path / "empty").is_dir()


def test_a_lock_that_is_removed_while_it_is_waited_for_is_not_taken_for_one(tmp_path, monkeypatch):
    """The last holder removes its file between another's opening and locking it."""
    flock, removed = fcntl.flock, []

    def slow(descriptor, how):
        if not removed:
            removed.append((tmp_path / LOCK).unlink())
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with locked(tmp_path), pytest.raises(LockedError), locked(tmp_path):
        pass
    assert removed and not list(tmp_path.iterdir())


def test_a_holder_that_has_not_yet_said_who_it_is(tmp_path):
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match="which does not say who it is"), locked(tmp_path):
            pass


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch):
    def none(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.warns(UserWarning, match="cannot be locked .*: see that no other run writes to it"), locked(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


def test_a_second_audit_or_bench_into_one_folder_is_refused(tmp_path):
    out, sets = tmp_path / "out", tmp_path / "sets"
    load("toy:count=48").save(sets)
    plan = tmp_path / "plan.yaml"
    plan.write_text(TOY + "protections: {Clean: clean}\n")
    audit = ("audit", sets, "--clean-train", sets, "--clean-test", "toy:count=48,seed=1", "--out", out)
    with locked(out):
        for words in (audit, ("bench", plan, "--out", out)):
            assert f"{out} is being written by another run" in run(*words, code=2).output
