"""Folders of real people, kind by kind: names, clutter, places, first use, the end. Files are in `test_any_file`."""

import errno
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from commands import run
from samples import opened, picture
from test_any_file import raw_like
from test_photos import saved
from unlearnable import protect_folder, reveal_folder, verify_folder
from unlearnable.cli import console
from unlearnable.datasets.folder import load_folder
from unlearnable.folder import found
from unlearnable.folder import job as folder_job
from unlearnable.folder.cropped import score_part
from unlearnable.folder.ending import looks_split, size_in_words
from unlearnable.folder.job import StoppedError, working_shape
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.protect import RefusedError
from unlearnable.images.kinds import READ_SUFFIXES, refused_kind
from unlearnable.images.photos import Photo
from unlearnable.images.platforms import PublishedSize
from unlearnable.images.scan import listing, output_names, scan
from unlearnable.keys import default_key_file
from unlearnable.semantics.identify import score_key

CLUTTER = ("@eaDir/a.jpg", ".thumbnails/a.png", "__MACOSX/cat/._a.png", "cat/._a.png", "cat/Thumbs.db", ".DS_Store")
CLUTTER += ("#recycle/old.jpg", "cat/Icon\r", ".hidden/deep/a.png", "$RECYCLE.BIN/x.jpg", "System Volume Information/y")


def put(folder: Path, *names: str, content: bytes | None = None) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(saved(picture()) if content is None else content)


def protect(photos, tmp_path, weights, *options, code=0):
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights, *options)
    return run(*words, code=code).output


def test_what_computers_leave_behind_is_passed_over_and_counted(photos, tmp_path, weights):
    put(photos, *CLUTTER)
    said = protect(photos, tmp_path, weights)
    assert (
        f"passed over: left behind by computers, phones and storage ({len(CLUTTER)})" in said and "skipped" not in said
    )
    report = Report.load(tmp_path / "out")
    assert report.classes == ["cat", "dog", "owl"] and report.summary["protected"] == 5
    assert verify_folder(tmp_path / "out", photos).ok
    assert load_folder(photos, 16).images.shape[0] == 5


SIDECARS = ("IMG_1.xmp", "IMG_1.txt", "IMG_1.MOV", "IMG_1.AAE", "IMG_1.jpg.json", "IMG_1.THM", "IMG_1.pp3", "notes.pdf")


def test_sidecars_move_no_names_and_are_no_pictures(tmp_path, job):
    source = tmp_path / "source"
    put(source, "IMG_1.jpg")
    job(source)
    put(source, *SIDECARS, content=b"beside it")
    put(source, "IMG_1.NEF", content=raw_like())
    report = job(source)
    assert [entry.output for entry in read_manifest(tmp_path / "out").values() if entry.output] == ["IMG_1.png"]
    assert [file["file"] for file in report.skipped] == ["IMG_1.NEF"]
    assert report.skipped[0]["reason"] == "a camera raw; develop it, export a JPEG or TIFF, and protect that"
    assert sum(report.passed_over.values()) == len(SIDECARS)
    assert verify_folder(tmp_path / "out", source).ok
    (source / "IMG_1.NEF").unlink()
    assert load_folder(source, 16).images.shape[0] == 1


def test_exit_codes_tell_pictures_that_were_left_out_from_what_is_none(photos, tmp_path, weights):
    put(photos, "notes.txt", "cat/film.mp4", content=b"text")
    protect(photos, tmp_path, weights)
    put(photos, "cat/page.jpg", content=b"<html>not found</html>")
    said = protect(photos, tmp_path, weights, code=3)
    assert (
        "1 picture left out, named in report.json: not a JPEG" in said
        and "but a web page; what was to be downloaded" in said
    )


@pytest.mark.parametrize("name", ["a.xmp", "b.AAE", "c.mov", "d.docx", "no suffix", "e.unknown", "f.jpg.json"])
def test_what_is_no_picture_by_name_or_bytes_gets_no_copy(name):
    kind = refused_kind(name, b"something")
    assert kind is not None and not kind.picture


@given(st.sampled_from(sorted(READ_SUFFIXES)), st.binary(max_size=40))
def test_a_name_that_promises_a_picture_is_looked_into(suffix, head):
    assert refused_kind(f"a{suffix.upper()}", head) is None


def test_a_picture_without_a_suffix_is_one(tmp_path):
    put(tmp_path, "IMG_1", "b.backup")
    put(tmp_path, "c", content=b"nothing")
    assert [file.name for file in scan(tmp_path)] == ["IMG_1", "b.backup"]
    assert sum(listing(tmp_path).passed_over.values()) == 1


@given(st.lists(st.text("aé€", min_size=1, max_size=260).map(lambda stem: stem + ".jpg"), unique=True, max_size=4))
def test_no_copys_name_is_too_long(names):
    copies = output_names(names, ".webp", {})
    assert all(len(os.fsencode(copy)) <= 255 for copy in copies.values())
    assert len({copy.casefold() for copy in copies.values()}) == len(names)


def test_a_name_that_the_disk_refuses_is_left_out_and_the_rest_goes_on(photos, tmp_path, job, monkeypatch):
    original = folder_job.replacing

    def refusing(path):
        if path.name == "a.png" and path.parent.name == "cat":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return original(path)

    monkeypatch.setattr(folder_job, "replacing", refusing)
    report = job(photos)
    assert report.summary["protected"] == 4 and "rename it" in report.skipped[0]["reason"]


def test_a_full_disk_says_how_far_it_came_and_the_same_command_resumes(photos, tmp_path, weights, job, monkeypatch):
    original, written = folder_job.replacing, []

    def full(path):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return original(path)

    with monkeypatch.context() as patched:
        patched.setattr(folder_job, "replacing", full)
        with pytest.raises(
            StoppedError, match=r"No space left on device: 2 of 5 files are done .* the same command resumes"
        ):
            job(photos)
        assert "Error: No space left" in protect(photos, tmp_path, weights, code=2)
    assert job(photos).summary["protected"] == 5 and verify_folder(tmp_path / "out", photos).ok


@pytest.mark.parametrize(
    "size, working",
    [
        ((15360, 427), (9209, 256)),
        ((640, 10248), (256, 4099)),
        ((4000, 3000), (512, 384)),
        ((300, 200), (300, 200)),
        ((1, 9000), (1, 9000)),
    ],
)
def test_of_extreme_shapes_the_short_side_decides(size, working):
    (width, height), (expected_width, expected_height) = size, working
    assert working_shape(height, width, 512) == (expected_height, expected_width)


def test_a_panorama_is_protected(tmp_path, job):
    source = tmp_path / "source"
    source.mkdir()
    picture(0, 1500, 60).save(source / "pan.png")
    job(source, working_size=64)
    (entry,) = read_manifest(tmp_path / "out").values()
    assert (entry.working_width, entry.working_height) == (800, 32)
    assert verify_folder(tmp_path / "out", source).ok


def test_a_found_copy_is_read_at_the_size_at_which_it_was_protected(tmp_path, monkeypatch):
    """By one who knows the folder of copies alone: reduced, with a border, beside it; and not with another key."""
    monkeypatch.setattr("unlearnable.folder.found.score_key", lambda *readings, decoys: score_key(*readings, decoys=99))
    source, out, key = tmp_path / "source", tmp_path / "out", tmp_path / "key"
    put(source, "a.png", "b.png")
    picture(5, 560, 400).save(source / "a.png")
    key.write_bytes(bytes(range(32)))
    (tmp_path / "other").write_bytes(bytes(32))
    protect_folder(source, out, key=key, visibility=0, strength="full")
    small = opened(out / "a.png").resize((336, 240))
    framed = Image.new("RGB", (400, 400), "white")
    framed.paste(small, (32, 80))
    for name, image in {"small.jpg": small, "framed.jpg": framed}.items():
        image.save(tmp_path / name, quality=90)
        revelation = reveal_folder(tmp_path / name, tmp_path / f"r {name}", key=key, protected=out)
        assert revelation.key_score is not None and revelation.key_score.p_value <= 0.02, name
    other = reveal_folder(tmp_path / "small.jpg", tmp_path / "r other", key=tmp_path / "other", protected=out).key_score
    assert other is not None and other.p_value > 0.02 and "proves nothing" in other.verdict
    beside = run("reveal", tmp_path / "small.jpg", "--out", tmp_path, "--key", key, "--protected", out)
    assert (tmp_path / "small.png").exists() and "this key's secrets" in beside.output


def test_a_part_of_a_picture_is_looked_for_in_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("unlearnable.folder.reveal.score_part", partial(score_part, decoys=60))
    monkeypatch.setattr("unlearnable.folder.found.score_key", lambda *readings, decoys: score_key(*readings, decoys=9))
    source, out, key = tmp_path / "source", tmp_path / "out", tmp_path / "key"
    source.mkdir()
    picture(5, 300, 300).save(source / "a.png")
    for file, content in ((key, bytes(range(32))), (tmp_path / "other", bytes(32))):
        file.write_bytes(content)
    protect_folder(source, out, key=key, visibility=0, strength="full")
    opened(out / "a.png").crop((40, 70, 270, 280)).resize((200, 183)).save(tmp_path / "cut.png")
    words = {"path": tmp_path / "cut.png", "protected": out, "parts": True}
    own = reveal_folder(out=tmp_path / "own", key=key, **words).key_score
    other = reveal_folder(out=tmp_path / "others", key=tmp_path / "other", **words).key_score
    assert own is not None and own.decoys == 60 and own.deviations > 3
    assert other is not None and other.deviations < 2
    with pytest.raises(ValueError, match="expected, to look in parts, one picture, a --key"):
        reveal_folder(source, tmp_path / "x", parts=True, protected=out)


def test_a_border_is_found_and_a_picture_without_one_stays():
    inner = np.asarray(picture(1, 80, 60))
    framed = np.full((100, 100, 3), 250, np.uint8)
    framed[20:80, 10:90] = inner
    cut = found.without_border(Photo(framed))
    assert cut is not None and cut.pixels.shape[:2] == (60, 80)
    assert found.without_border(Photo(inner)) is None
    assert found.without_border(Photo(np.zeros((9, 9, 3), np.uint8))) is None


def test_split_layouts_are_warned_of_and_classes_named(tmp_path, weights):
    source = tmp_path / "source"
    put(source, "train/cat/a.png", "val/cat/a.png", "val/dog/a.png")
    said = protect(source, tmp_path, weights)
    assert "classes: train (1), val (2). These look like parts of a data set, not classes" in said
    assert looks_split(["Train", "TEST"]) and not looks_split(["train"]) and not looks_split(["train", "bus"])


def test_age_and_permissions_are_the_originals(photos, tmp_path, job):
    original = photos / "cat" / "a.png"
    os.utime(original, ns=(1_500_000_000_000_000_000, 1_500_000_000_123_456_789))
    original.chmod(0o640)
    job(photos)
    copied = (tmp_path / "out" / "cat" / "a.png").stat()
    assert (copied.st_mtime_ns, copied.st_mode & 0o777) == (1_500_000_000_123_456_789, 0o640)


def test_the_first_use_tells_of_the_key(photos, tmp_path, weights, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    words = ("protect", photos, tmp_path / "out", "--weights", weights, "--key", "~/mine")
    first, again = run(*words).output, run(*words).output
    assert f"Making your key: {tmp_path / 'home' / 'mine'}" in first and "Making" not in again
    assert (tmp_path / "home" / "mine").stat().st_size == 32 and not Path("~").exists()
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("typer.get_app_dir", lambda name: f"~/.config/{name}")
    with pytest.raises(ValueError, match="name a file with --key"):
        default_key_file()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_any_terminal_prints(encoding):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    for words in (["--help"], ["protect", "--help"]):
        command = [sys.executable, "-m", "unlearnable", *words]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 0 and b"Traceback" not in done.stderr and b"protect" in done.stdout


def test_names_that_would_steer_a_terminal_are_escaped(photos, tmp_path, weights):
    put(photos, "cat/\x1b[2Jred.png", "cat/two\nlines.png", content=b"broken")
    said = protect(photos, tmp_path, weights, code=3)
    assert "\x1b" not in said and r"\x1b[2Jred.png" in said and r"two\nlines.png" in said


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(console, "LINE_EVERY", -1)
    with console.stages() as on_stage:
        on_stage("protecting", 3, 9)
    assert "protecting: 3 of 9 files" in capsys.readouterr().err


def test_copies_are_not_protected_again(photos, tmp_path, job):
    job(photos)
    with pytest.raises(RefusedError, match=r"protected already.*protect the originals"):
        job(tmp_path / "out", tmp_path / "again")
    with pytest.raises(RefusedError, match="protected already"):
        job(tmp_path / "out" / "cat", tmp_path / "again")
    shutil.move(tmp_path / "out", photos / "old")
    with pytest.raises(RefusedError, match="protected already"):
        job(photos, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_clutter_in_an_empty_destination_is_no_strangers_file(photos, tmp_path, job):
    put(tmp_path / "out", ".DS_Store", "Thumbs.db", content=b"")
    assert job(photos).summary["protected"] == 5


def test_the_end_says_how_much_larger_the_copies_are(tmp_path, weights):
    source = tmp_path / "source"
    source.mkdir()
    picture(0, 300, 200).save(source / "a.jpg", quality=60)
    said = protect(source, tmp_path, weights)
    assert "pictures: 1, " in said and "their copies will take about" in said and "are free" in said
    assert "times the originals, as they are lossless; --format webp" in said
    assert f"is {tmp_path / 'key'}: keep it" in said
    assert [size_in_words(count) for count in (12, 1500, 2_500_000, 3 * 10**9)] == [
        "12 bytes",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
    ]


def test_copies_are_not_given_up_for_a_disk_that_is_away(photos, tmp_path, job):
    job(photos)
    copies = sorted((tmp_path / "out").rglob("*.png"))

    def unplugged(done, total):
        if photos.is_dir():
            photos.rename(tmp_path / "away")

    for index in range(30):
        picture(index).save(photos / "owl" / f"{index}.png")
    with pytest.raises(StoppedError, match="the same command resumes"):
        job(photos, on_file=unplugged)
    assert all(copy.exists() for copy in copies)
    (tmp_path / "away").rename(photos)
    assert job(photos).summary["protected"] == 35 and verify_folder(tmp_path / "out", photos).ok


def test_terms_that_no_file_can_hold_are_refused(photos, job):
    for terms in ("a\x07b", "\udcff", "x" * 9000, ""):
        with pytest.raises(ValueError, match="expected terms"):
            job(photos, terms=terms)


def test_a_disk_without_permissions_takes_copies(photos, tmp_path, job, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("os.utime", refused)
    monkeypatch.setattr("pathlib.Path.chmod", refused)
    assert job(photos).summary["protected"] == 5


def test_a_reduced_logo_has_no_dark_edge():
    white = np.zeros((300, 3000, 4), np.uint8)
    white[50:250, 500:2500] = 255
    reduced = PublishedSize("web", "longest", 1000).reduced(Photo(white[..., :3].copy(), white[..., 3].copy()))
    assert reduced.alpha is not None and reduced.pixels[reduced.alpha > 8].min() >= 250
