"""The folder job: protect, verify, reveal, on real files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import outsider
import pytest
import torch
from torch.nn import functional as F

from commands import run
from samples import opened, picture
from test_photos import BAD
from unlearnable import ProtectOptions, protect_folder, reveal_folder, verify_folder
from unlearnable.compute.threads import map_ahead
from unlearnable.folder.job import enlarged, working_picture
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.protect import RefusedError
from unlearnable.images.photos import Photo
from unlearnable.storage.lock import LOCK, LockedError


def test_protects_mirrors_and_proves(job, photos, tmp_path):
    originals = {path: path.read_bytes() for path in photos.rglob("*.*")}
    report = job(photos)
    out = tmp_path / "out"
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {
        *("cat/a.png", "cat/deep/b.png", "dog/a.png", "dog/c.png", "owl/ö ü.png"),
        *("manifest.jsonl", "report.json"),
    }
    assert report.summary["protected"] == 5
    assert report.summary["over_budget"] == 0
    assert 1 < report.summary["rms"]["mean"] <= 8  # it changes the pictures, inside the budget
    assert report.classes == ["cat", "dog", "owl"]
    outsider.check(photos, out)
    assert verify_folder(out, photos).ok
    assert originals == {path: path.read_bytes() for path in photos.rglob("*.*")}
    assert (tmp_path / "key").read_bytes().hex() not in (out / "report.json").read_text()


@pytest.mark.parametrize("budget", ["rms:2", "linf:3", "rms:0.7"])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_budget_of_the_written_file(job, photos, tmp_path, budget, format):
    report = job(photos, budget=budget, format=format, working_size=16)
    assert report.summary["over_budget"] == 0
    outsider.check(photos, tmp_path / "out")
    assert verify_folder(tmp_path / "out", photos).ok


def test_jpeg_is_measured_after_compression(job, photos, tmp_path):
    report = job(photos, format="jpeg", quality=40, budget="rms:1")
    assert report.summary["over_budget"] == 5  # the compression alone is more than that
    outsider.check(photos, tmp_path / "out")
    assert verify_folder(tmp_path / "out", photos).ok


def test_a_flat_folder_is_one_class(job, tmp_path):
    for index in range(3):
        picture(index).save(tmp_path / f"{index}.png")
    source = tmp_path / "flat"
    source.mkdir()
    for file in tmp_path.glob("*.png"):
        file.rename(source / file.name)
    assert job(source).classes == ["."]


def test_per_class_shares_the_secret_and_per_sample_does_not(job, photos, tmp_path):
    job(photos, tmp_path / "class")
    job(photos, tmp_path / "sample", per="sample")
    variations = {
        per: [entry.variation for entry in read_manifest(tmp_path / per).values()] for per in ("class", "sample")
    }
    assert variations["class"] == [0] * 5
    assert len(set(variations["sample"])) == 5


def test_grey_photos_stay_grey_and_alpha_stays(job, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    picture(1).convert("L").save(source / "grey.png")
    image = picture(2).convert("RGBA")
    image.putalpha(77)
    image.save(source / "alpha.png")
    for format in ("png", "webp"):
        job(source, tmp_path / format, format=format)
        grey = np.asarray(opened(tmp_path / format / f"grey.{format}").convert("RGB"))
        assert (grey[..., 0] == grey[..., 2]).all()
        assert np.asarray(opened(tmp_path / format / f"alpha.{format}"))[..., 3].tolist() == [[77] * 40] * 30
        assert verify_folder(tmp_path / format, source).ok


def test_a_large_photo_is_hidden_at_working_size(job, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    picture(1, 400, 300).save(source / "a.png")
    job(source, working_size=50)
    (entry,) = read_manifest(tmp_path / "out").values()
    assert (entry.working_width, entry.working_height, entry.width, entry.height) == (50, 38, 400, 300)
    assert entry.quality is not None
    assert entry.quality.rms > 0.5
    outsider.check(source, tmp_path / "out")


@pytest.mark.parametrize("width, height", [(1, 1), (3, 200), (7, 7), (13, 9)])
def test_tiny_photos(job, tmp_path, width, height):
    source = tmp_path / "source"
    source.mkdir()
    picture(1, width, height).save(source / "a.png")
    assert job(source, working_size=32).summary["protected"] == 1
    assert verify_folder(tmp_path / "out", source).ok


def test_bad_files_are_skipped_with_their_reason_and_the_rest_goes_on(job, photos, tmp_path):
    for name, (content, _) in BAD.items():
        (photos / "cat" / f"{name}.jpg").write_bytes(content)
    (photos / "leaves.png").symlink_to("/etc/hostname")
    report = job(photos)
    assert report.summary["protected"] == 5
    reasons = {file["file"]: file["reason"] for file in report.skipped}
    assert set(reasons) == {f"cat/{name}.jpg" for name in BAD} | {"leaves.png"}
    for name, (_, reason) in BAD.items():
        assert reason in reasons[f"cat/{name}.jpg"]
    entries = read_manifest(tmp_path / "out")
    assert {name for name, entry in entries.items() if entry.status == "skipped"} == set(reasons)
    assert verify_folder(tmp_path / "out", photos).ok


def test_refused_before_anything_is_written(job, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    before = sorted(path for path in tmp_path.rglob("*"))
    for src, dst, options, reason in [
        (photos, photos, {}, "one in the other"),
        (photos, photos / "out", {}, "one in the other"),
        (photos / "cat", photos, {}, "one in the other"),
        (photos, tmp_path / "full", {}, "not empty"),
        (photos, photos / "cat" / "a.png", {}, "the file"),
        (tmp_path / "missing", tmp_path / "out", {}, "expected a folder"),
        (tmp_path / "empty", tmp_path / "out", {}, "found none"),
        (photos, tmp_path / "out", {"key": tmp_path / "out" / "key"}, "would be published"),
        (photos, tmp_path / "out", {"key": photos / "key"}, "taken for a picture"),
        (photos, tmp_path / "out", {"key": photos}, "expected a key file"),
        (photos, tmp_path / "out", {"device": "gpu0"}, "torch device"),
        (photos, tmp_path / "out", {"budget": "l1:8"}, "expected a budget"),
        (photos, tmp_path / "out", {"working_size": 4}, "working size"),
        (photos, tmp_path / "out", {"format": "jpeg", "quality": 0}, "JPEG quality"),
    ]:
        with pytest.raises(ValueError, match=reason):
            job(src, dst, **options)
        assert sorted(path for path in tmp_path.rglob("*")) == before


def test_another_runs_folder_is_refused(job, photos, tmp_path):
    job(photos)
    for options, reason in [
        ({"budget": "rms:4"}, "budget"),
        ({"key": tmp_path / "key2"}, "key"),
        ({"per": "sample"}, "per"),
    ]:
        with pytest.raises(RefusedError, match=f"another run .other {reason}"):
            job(photos, **options)
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    with pytest.raises(RefusedError, match="other source"):
        job(copy)


def test_resuming_redoes_nothing_but_what_changed(job, photos, tmp_path):
    out = tmp_path / "out"
    job(photos)
    times = {path: path.stat().st_ctime_ns for path in out.rglob("*.png")}
    picture(9).save(photos / "dog" / "c.png")  # changed
    picture(8).save(photos / "dog" / "a.png")  # new, and its plain copy's name is taken
    (out / "cat" / "a.png").unlink()  # lost
    picture(7).save(out / "owl" / "ö ü.png")  # altered
    with (out / "manifest.jsonl").open("a") as file:
        file.write('{"file": "torn li')
    job(photos)
    again = {path for path in out.rglob("*.png") if times.get(path) != path.stat().st_ctime_ns}
    assert again == {out / name for name in ("dog/c.png", "cat/a.png", "dog/a_.png", "owl/ö ü.png")}
    assert verify_folder(out, photos).ok


def test_an_original_that_goes_or_breaks(job, photos, tmp_path):
    job(photos)
    out = tmp_path / "out"
    (photos / "dog" / "c.png").unlink()
    (photos / "cat" / "a.png").write_bytes(b"broken now")
    assert job(photos).summary == Report.load(out).summary
    assert (out / "dog" / "c.png").exists()  # nothing of the owner's is taken away
    assert not (out / "cat" / "a.png").exists()  # a copy that nothing proves any more
    found = verify_folder(out, photos).violations
    assert set(found) == {"dog/c.png"}
    assert "missing" in found["dog/c.png"][0]


def test_awkward_names(job, photos, tmp_path):
    (photos / ("x" * 251 + ".png")).write_bytes((photos / "dog" / "c.png").read_bytes())
    (photos / "loop.png").symlink_to(photos / "loop.png")
    (photos / "cat.jpg").write_bytes((photos / "dog" / "a.jpg").read_bytes())
    (photos / "cat").rename(photos / "cat.png")
    report = job(photos)
    assert report.summary["protected"] == 7
    assert report.classes == ["cat.png", "dog", "owl", "."]
    assert verify_folder(tmp_path / "out", photos).ok


def test_a_start_killed_at_once_does_not_block_the_next(job, photos, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".0123456789abcdef.partial").write_text("{")
    assert job(photos).complete


def test_a_second_run_into_one_destination_is_refused_while_the_first_goes_on(job, photos, tmp_path, weights):
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    seen = []

    def on_file(done, total):
        if not seen:
            assert (tmp_path / "out" / LOCK).exists()
            with pytest.raises(LockedError, match=rf"process {os.getpid()}, since .*; wait until that one has ended"):
                job(photos)
            seen.append(run(*words, code=2).output)

    assert job(photos, on_file=on_file).summary["protected"] == 5
    assert "is being written by another run (host " in seen[0]
    assert not (tmp_path / "out" / LOCK).exists()
    assert job(photos).complete and verify_folder(tmp_path / "out", photos).ok


def test_options_are_one_object_or_keywords_or_both(photos, tmp_path, weights):
    options = ProtectOptions(budget="linf:5", per="sample", weights=weights)
    by_object = protect_folder(photos, tmp_path / "a", options, key=tmp_path / "key")
    words = {"budget": "linf:5", "per": "sample", "weights": weights}
    assert protect_folder(photos, tmp_path / "b", key=tmp_path / "key", **words) == by_object
    both = protect_folder(photos, tmp_path / "c", options, key=tmp_path / "key", budget="rms:3")
    assert both.options == by_object.options | {"budget": "rms:3"}
    with pytest.raises(TypeError, match="budgett"):
        protect_folder(photos, tmp_path / "d", budgett="rms:3")


def test_new_classes_do_not_move_old_ones(job, photos):
    job(photos)
    (photos / "ape").mkdir()
    picture().save(photos / "ape" / "a.png")
    assert job(photos).classes == ["cat", "dog", "owl", "ape"]


def test_killed_at_any_moment_it_resumes(tmp_path, weights, job):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for index in range(40):
        picture(index, 300, 300).save(source / f"{index:02}.png")
    command = ["protect", source, out, "--key", tmp_path / "key", "--weights", weights]
    process = subprocess.Popen([sys.executable, "-m", "unlearnable", *command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_ctime_ns for path in out.glob("*.png")}
    assert 3 <= len(done) < 40
    assert not Report.load(out).complete
    assert (out / LOCK).exists()  # a lock that nobody holds any more
    violations = verify_folder(out, source).violations
    assert "has not come to its end" in str(violations["report.json"]) and LOCK not in violations
    for path in done:
        opened(path)  # whole
    listed = {entry.output for entry in read_manifest(out).values()}
    assert job(source).summary["protected"] == 40
    assert verify_folder(out, source).ok
    redone = {path.name for path, moment in done.items() if path.stat().st_ctime_ns != moment}
    assert not redone & listed


def test_verify_finds_what_does_not_hold(job, photos, tmp_path):
    job(photos)
    out = tmp_path / "out"

    def violations():
        return {name: " ".join(found) for name, found in verify_folder(out, photos).violations.items()}

    shutil.copy(photos / "dog" / "c.png", out / "dog" / "c.png")  # unprotected again
    (out / "owl" / "ö ü.png").unlink()
    picture(5).save(out / "stray.png")
    picture(6).save(photos / "cat" / "new.png")
    found = violations()
    assert set(found) == {"dog/c.png", "owl/ö ü.png", "stray.png", "cat/new.png"}
    assert "changed since it was written" in found["dog/c.png"]
    assert "rms is 0.0" in found["dog/c.png"]
    assert "missing or unreadable" in found["owl/ö ü.png"]
    assert "not in the manifest" in found["stray.png"]
    assert "not protected" in found["cat/new.png"]


def test_verify_does_not_believe_the_manifest(job, photos, tmp_path):
    """Figures, hashes and budget are computed again, so a manifest that flatters is found out."""
    job(photos)
    out, manifest = tmp_path / "out", tmp_path / "out" / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[0] |= {"rms": 1.0}
    lines[1] |= {"ssim": 0.9999}
    lines[2] |= {"width": 9999, "class_index": 77, "secret_number": 66, "variation": 3, "working_width": 5}
    lines[2] |= {"class_name": "unicorn"}
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = json.loads((out / "report.json").read_text())
    report["options"]["budget"] = "rms:0.5"
    (out / "report.json").write_text(json.dumps(report))
    found = verify_folder(out, photos).violations
    assert any("the manifest says 1.0" in problem for problem in found[lines[0]["output"]])
    assert any("the manifest says 0.9999" in problem for problem in found[lines[1]["output"]])
    for stated in ("9999", "77", "66", "unicorn", "3", "5"):
        assert any(problem.endswith(f"the manifest says {stated}") for problem in found[lines[2]["output"]])
    assert found.pop("report.json") == ["its summary is not that of the manifest"]
    assert len(found) == 5
    assert all(any("outside its budget" in problem for problem in problems) for problems in found.values())
    for line in ("{}", json.dumps(lines[0] | {"output": "../precious.png"}), json.dumps(lines[0] | {"file": "/etc/x"})):
        manifest.write_text(line + "\n")
        with pytest.raises(ValueError, match="not a manifest"):
            verify_folder(out, photos)
    (out / "report.json").write_text('{"hello": 1}')
    with pytest.raises(ValueError, match="not a report"):
        verify_folder(out, photos)
    with pytest.raises(FileNotFoundError, match=r"report\.json"):
        verify_folder(photos, photos)


def test_reveal_mirrors_and_scores(job, photos, tmp_path, weights):
    job(photos)
    out = tmp_path / "out"
    revelation = reveal_folder(out, tmp_path / "secrets", key=tmp_path / "key", weights=weights)
    revealed = {Path(path).relative_to(tmp_path / "secrets").as_posix() for path in revelation.revealed.values()}
    assert revealed == {"cat/a.png", "cat/deep/b.png", "dog/a.png", "dog/c.png", "owl/ö ü.png"}
    assert revelation.key_score is not None
    assert revelation.key_score.decoys == 1000
    assert opened(tmp_path / "secrets" / "dog" / "c.png").size == opened(out / "dog" / "c.png").size
    one = reveal_folder(out / "dog" / "a.png", tmp_path / "one", weights=weights)
    assert list(one.revealed) == ["a.png"]
    assert one.key_score is None
    with pytest.raises(ValueError, match="inside"):
        reveal_folder(out, out / "secrets", weights=weights)
    with pytest.raises(ValueError, match="inside"):
        reveal_folder(out / "dog" / "a.png", out / "dog", weights=weights)
    originals = {path: path.read_bytes() for path in photos.rglob("*.*")}
    with pytest.raises(ValueError, match="exists already"):
        reveal_folder(out, photos, weights=weights)
    assert originals == {path: path.read_bytes() for path in photos.rglob("*.*")}
    with pytest.raises(FileNotFoundError, match="expected a picture or a folder"):
        reveal_folder(tmp_path / "missing", tmp_path / "two", weights=weights)


def test_a_key_that_does_not_exist_is_not_made_by_reveal(job, photos, tmp_path, weights):
    job(photos)
    with pytest.raises(FileNotFoundError):
        reveal_folder(tmp_path / "out", tmp_path / "secrets", key=tmp_path / "no key", weights=weights)
    assert not (tmp_path / "no key").exists()


def test_the_working_picture_is_the_photo_where_it_is_small():
    pixels = np.asarray(picture())
    assert np.array_equal(working_picture(Photo(pixels), 512), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(9, 12, 3), (31, 40, 3), (90, 96, 1)])
def test_enlarging_is_bicubic_interpolation(shape):
    change = np.random.default_rng(0).normal(0, 8, (3, 9, 12)).astype(np.float32)
    planes = change if shape[2] == 3 else change.mean(0, keepdims=True)
    expected = F.interpolate(torch.from_numpy(planes)[None], size=shape[:2], mode="bicubic")[0].permute(1, 2, 0)
    full = enlarged(change, shape)
    assert full.flags.c_contiguous
    np.testing.assert_allclose(full, expected.numpy(), atol=1e-4)
    if shape == (9, 12, 3):
        assert np.array_equal(full, change.transpose(1, 2, 0))


def test_ahead_keeps_order_and_bounds_what_is_in_flight():
    drawn = []

    def items():
        for item in range(50):
            drawn.append(item)
            yield item

    with ThreadPoolExecutor(3) as pool:
        for expected, result in enumerate(map_ahead(pool, lambda item: item * 2, items(), width=5)):
            assert result == 2 * expected
            assert len(drawn) <= expected + 6
    assert len(drawn) == 50


def test_ahead_passes_errors_on():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        list(map_ahead(pool, lambda item: 1 // item, [1, 0, 1]))


def test_nothing_half_written_is_left(job, photos, tmp_path, monkeypatch):
    """A disk that fills up in the middle of a picture."""
    real = os.fsync
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        job(photos)
    assert not list((tmp_path / "out").rglob("*.partial"))
    monkeypatch.undo()
    job(photos)
    assert verify_folder(tmp_path / "out", photos).ok
