"""The folder job with protections other than deep hiding: streamed, over the whole set, optimised."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import outsider
import pytest
import torch

from commands import run
from quick import QUICK
from resuming import save_every_step
from samples import opened, picture
from unlearnable import protect_folder, reveal_folder, verify_folder
from unlearnable.datasets.folder import picture_files
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.preview import side_by_side
from unlearnable.folder.protect import RefusedError
from unlearnable.images.budget import Budget
from unlearnable.images.photos import read_photo
from unlearnable.images.scan import CHECKPOINT
from unlearnable.protections import Protection, protections
from unlearnable.protections.optimised import Optimisation, Optimised

NATIVE = "linf:6"


def two_classes(data):
    if len(data.classes) < 2:
        raise ValueError("expected two classes")


@dataclass(frozen=True)
class Together(Protection):
    """Moves every picture towards the mean of all, with noise."""

    pull: float = 1.0
    needs: str = ""
    budget: str = NATIVE

    def find_files(self):
        return (Path(self.needs),) if self.needs else ()

    def perturb(self, data, seed):
        two_classes(data)
        mean = data.images.float().mean(0)
        return self.pull * (mean - data.images) + torch.randn(data.images.shape)


class Search(Optimisation):
    def __init__(self, method, data):
        two_classes(data)
        self.steps, self.method, self.mean = 6, method, data.images.float().mean(0)
        self.noise = torch.zeros(data.images.shape)

    def advance(self):
        self.noise += torch.randn(self.noise.shape) + self.mean.mean() / 100
        return math.nan if self.done == self.method.diverges else 1.0

    def state(self):
        return {"noise": self.noise}

    def restore(self, state):
        self.noise.copy_(state["noise"])

    def change(self):
        return self.noise


@dataclass(frozen=True)
class Searched(Optimised):
    """Noise from six steps, each of which hangs on the last."""

    diverges: int = -1
    budget: str = NATIVE

    def optimisation(self, data, seed):
        return Search(self, data)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(protections._classes, "together", Together)
    monkeypatch.setitem(protections._classes, "searched", Searched)
    save_every_step(monkeypatch)


@pytest.fixture
def squares(tmp_path):
    """Two classes of pictures of 24 px."""
    for index, name in enumerate(["cat/a.png", "cat/b.png", "cat/deep/c.jpg", "dog/a.png", "dog/b.png"]):
        (tmp_path / "squares" / name).parent.mkdir(parents=True, exist_ok=True)
        picture(index, 24, 24).save(tmp_path / "squares" / name)
    return tmp_path / "squares"


@pytest.fixture
def job(tmp_path, squares):
    def protect(method, src=squares, dst=tmp_path / "out", **options):
        return protect_folder(src, dst, **{"method": method, "key": tmp_path / "key", "device": "cpu", **options})

    return protect


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def pixels(file):
    return read_photo(file.read_bytes()).pixels


def holds(budget, src, dst):
    entries = read_manifest(dst).values()
    return all(Budget.parse(budget).holds(pixels(src / e.file), pixels(dst / e.output)) for e in entries if e.output)


@pytest.mark.parametrize("name", [*protections, "together", "searched"])
def test_every_protection_serves_a_folder(job, squares, tmp_path, weights, name):
    method, out = QUICK.get(name, name), tmp_path / "out"
    words = {"weights": weights} if name == "deep_hiding" else {}
    native = protections.make(method).budget
    report = job(method, **words)
    assert report.complete and report.options["budget"] == native and report.classes == ["cat", "dog"]
    assert report.summary["protected"] == 5 and report.summary["over_budget"] == 0 < report.summary["linf_max"]
    assert holds(native, squares, out) and verify_folder(out, squares).ok
    outsider.check(squares, out)
    assert {path.name for path in out.iterdir()} == {"cat", "dog", "manifest.jsonl", "report.json"}
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert job(method, **words) == report
    assert all(path.stat().st_mtime_ns == times[path] for path in out.rglob("*.png"))
    job(method, dst=tmp_path / "other", **words)
    assert contents(tmp_path / "other") == contents(out)


@pytest.mark.parametrize("method", ["noise", "together", "searched"])
@pytest.mark.parametrize("budget", ["linf:2", "rms:1.5", "l0:3"])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_the_budget_can_be_chosen_and_is_that_of_the_written_file(job, squares, tmp_path, method, budget, format):
    report = job(method, budget=budget, format=format)
    assert report.options["budget"] == budget and f"budget={budget}" in report.method
    assert report.summary["over_budget"] == 0 < report.summary["protected"]
    assert holds(budget, squares, tmp_path / "out") and verify_folder(tmp_path / "out", squares).ok
    outsider.check(squares, tmp_path / "out")
    assert report.summary.get("l0_max") == (3 if budget == "l0:3" else None)


def test_a_picture_streams_the_same_whatever_else_there_is(job, photos, tmp_path):
    for method, differ in (("noise:per=sample", True), ("noise", False)):
        both, alone, out = tmp_path / f"both {differ}", tmp_path / f"alone {differ}", tmp_path / f"out {differ}"
        report = job(method, photos, out)
        assert report.method == f"{method if differ else 'noise:per=class'},budget=rms:8"
        entries = read_manifest(out)
        assert len({entry.variation for entry in entries.values()}) == 5
        assert entries["cat/a.png"].secret_number is None
        for source, files in ((both, ("x/a.png", "x/b.png")), (alone, ("x/b.png",))):
            for file in files:
                (source / file).parent.mkdir(parents=True, exist_ok=True)
                picture(3, 64, 64).point(lambda value: 64 + value // 2).save(source / file)
            job(method, source, tmp_path / f"{source.name} out")
        copies = contents(tmp_path / f"{both.name} out")
        assert copies["x/b.png"] == contents(tmp_path / f"{alone.name} out")["x/b.png"]
        assert (copies["x/a.png"] != copies["x/b.png"]) == differ


def test_a_streamed_photo_is_perturbed_at_working_size(job, photos, tmp_path):
    report = job("noise", photos, working_size=20)
    assert report.options["working_size"] == 20 and report.summary["over_budget"] == 0
    entry = read_manifest(tmp_path / "out")["cat/a.png"]
    assert (entry.working_width, entry.working_height, entry.width, entry.height) == (20, 15, 40, 30)
    assert verify_folder(tmp_path / "out", photos).ok


def test_the_key_decides(job, tmp_path):
    job("together")
    job("together", dst=tmp_path / "other", key=tmp_path / "key2")
    assert contents(tmp_path / "out") != contents(tmp_path / "other")


@pytest.mark.parametrize("method", ["together", "searched"])
def test_mixed_sizes_need_a_working_size(job, photos, squares, tmp_path, method):
    with pytest.raises(RefusedError, match=r"40x30 px \(1 files\).* and 2 other sizes; say with --working-size"):
        job(method, photos)
    picture(9, 24, 20).save(squares / "dog" / "c.png")
    with pytest.raises(RefusedError, match=r"24x24 px \(5 files\), 24x20 px \(1 files\); say"):
        job(method)
    assert not (tmp_path / "out").exists() and not (tmp_path / "key").exists()
    (squares / "dog" / "c.png").unlink()
    for file in squares.rglob("*.*"):
        file.unlink()
        picture(1, 24, 20).save(file)
    with pytest.raises(RefusedError, match=r"here are 24x20 px \(5 files\); say"):
        job(method)
    report = job(method, photos, working_size=16)
    assert report.options["working_size"] == 16 and report.summary["protected"] == 5
    entry = read_manifest(tmp_path / "out")["cat/a.png"]
    assert (entry.working_width, entry.working_height, entry.width, entry.height) == (16, 16, 40, 30)
    assert entry.variation is None and entry.secret_number is None
    assert holds(NATIVE, photos, tmp_path / "out") and verify_folder(tmp_path / "out", photos).ok


def test_the_whole_set_is_what_the_protection_sees_and_its_change_is_what_is_added(job, squares, tmp_path):
    job("together", budget="linf:255")
    originals = np.stack([pixels(file).astype(float) for file in sorted(squares.rglob("*.*"))])
    for file, original in zip(sorted(squares.rglob("*.*")), originals, strict=True):
        copy = (tmp_path / "out" / file.relative_to(squares)).with_suffix(".png")
        assert np.abs(pixels(copy) - originals.mean(0)).max() < 6  # the noise
        assert np.abs(original - originals.mean(0)).max() > 20


@pytest.mark.parametrize("moment", [("optimising", 4), ("protecting", 2)])
def test_killed_in_the_middle_it_resumes_to_the_same_bytes(job, squares, tmp_path, moment):
    whole, out = job("searched", dst=tmp_path / "whole"), tmp_path / "out"
    seen = []

    def stage(what, done, total):
        seen.append((what, done))
        assert total == {"reading": 5, "optimising": 6, "protecting": 5, "looking": 5}[what]
        if (what, done) == moment:
            raise KeyboardInterrupt

    words = {"on_stage": stage, "on_file": lambda *counts: stage("protecting", *counts)}
    with pytest.raises(KeyboardInterrupt):
        job("searched", **words)
    assert (out / CHECKPOINT).exists() and not Report.load(out).complete
    assert set(verify_folder(out, squares).violations) >= {"report.json"}
    assert CHECKPOINT not in verify_folder(out, squares).violations
    before, seen[:] = list(seen), []
    first, moment = moment, None
    report = job("searched", **words)
    steps = [done for what, done in seen if what == "optimising"]
    assert steps == ([4, 5, 6] if first[0] == "optimising" else [])
    assert [done for what, done in before if what == "optimising"] == list(range(1, 5 if steps else 7))
    assert contents(out) == contents(tmp_path / "whole") and not (out / CHECKPOINT).exists()
    assert report == whole
    assert verify_folder(out, squares).ok


def test_only_what_is_lost_is_computed_again(job, squares, tmp_path, monkeypatch):
    out = tmp_path / "out"
    job("together")
    copies, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    (out / "dog" / "a.png").unlink()
    job("together")
    assert contents(out) == copies
    assert all(path.stat().st_mtime_ns == times[path] for path in times if path.parts[-2:] != ("dog", "a.png"))
    monkeypatch.setattr(Together, "perturb", None)  # nothing is computed when nothing is lost
    assert job("together").complete


def test_another_run_is_refused(job, squares, photos, tmp_path, weights):
    job("together")
    for method, options, reason in [
        ("together:pull=2", {}, "other method: together:pull=2.0,.* instead of together:pull=1"),
        ("searched", {}, "other method: searched"),
        ("noise", {}, "other method: noise:per=class"),
        ("deep_hiding", {"weights": weights}, "other method: deep_hiding instead of together"),
        ("together", {"budget": "rms:3"}, "other method"),
        ("together", {"key": tmp_path / "key2"}, "other key"),
        ("together", {"working_size": 16}, "working_size: 16 instead of 24"),
        ("together", {"format": "webp"}, "format: webp instead of png"),
    ]:
        with pytest.raises(RefusedError, match=reason):
            job(method, **options)
    picture(9, 24, 24).save(squares / "dog" / "a.png")
    with pytest.raises(RefusedError, match=r"another run \(other pictures\); name another folder"):
        job("together")
    (tmp_path / "needed").write_text("one")
    job(f"together:needs={tmp_path / 'needed'}", dst=tmp_path / "needing")
    (tmp_path / "needed").write_text("two")
    with pytest.raises(RefusedError, match="other weights"):
        job(f"together:needs={tmp_path / 'needed'}", dst=tmp_path / "needing")
    job("noise", photos, tmp_path / "noise")
    (photos / "ape").mkdir()
    picture(1).save(photos / "ape" / "a.png")
    with pytest.raises(RefusedError, match=r"other classes"):
        job("noise", photos, tmp_path / "noise")


@pytest.mark.parametrize("method", ["together", "searched"])
def test_what_the_method_refuses_is_said_before_anything_is_written(job, squares, tmp_path, method):
    with pytest.raises(ValueError, match="expected two classes"):
        job(method, squares / "cat" / "deep")
    assert not (tmp_path / "out").exists()
    (squares / "owl").mkdir()
    (squares / "owl" / "none.txt").write_text("no picture")
    for file in (squares / "dog").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="expected two classes"):  # a class that has no picture is none
        job(method)
    with pytest.raises(ValueError, match="working size"):
        job(method, working_size=4)
    assert not (tmp_path / "out").exists()


def test_a_change_that_is_not_finite_is_not_written(job, tmp_path):
    with pytest.raises(ValueError, match="maybe not finite"):
        job("together:pull=1e39")
    with pytest.raises(ArithmeticError, match="loss is nan at step 1"):
        job("searched:diverges=0")
    assert not (tmp_path / "out").exists()


def test_unreadable_files_are_skipped_and_the_others_protected(job, squares, tmp_path):
    (squares / "cat" / "broken.png").write_bytes((squares / "cat" / "a.png").read_bytes()[:200])
    (squares / "notes.txt").write_text("mine")
    report = job("searched")
    assert report.summary["protected"] == 5 and report.classes == ["cat", "dog"]
    assert [file["file"] for file in report.skipped] == ["cat/broken.png"]
    assert report.passed_over == {"a file beside a photo": 1}
    assert job("searched") == report
    assert verify_folder(tmp_path / "out", squares).ok
    for file in squares.rglob("*.*"):
        file.write_bytes(b"nothing")
    assert job("searched", dst=tmp_path / "none").summary == {"protected": 0, "skipped": 6}


def test_a_photo_that_changes_meanwhile_is_skipped(job, squares, tmp_path):
    def change(what, done, total):
        if (what, done) == ("optimising", total):
            picture(77, 24, 24).save(squares / "dog" / "a.png")
            (squares / "dog" / "b.png").unlink()

    report = job("searched", on_stage=change)
    assert report.summary["protected"] == 3
    reasons = {file["file"]: file["reason"] for file in report.skipped}
    assert "changed while the set was being protected" in reasons["dog/a.png"]
    assert "cannot be read" in reasons["dog/b.png"]
    assert {"cat/a.png", "cat/b.png", "cat/deep/c.png"} == set(contents(tmp_path / "out"))
    with pytest.raises(RefusedError, match="other pictures"):
        job("searched")


def test_options_of_deep_hiding_belong_to_it(job, tmp_path, weights):
    for options, names in [
        ({"per": "class"}, "per: an option"),
        ({"deal": "order", "secrets": "render"}, "secrets, deal: an option"),
        ({"weights": weights}, "weights: an option"),
    ]:
        with pytest.raises(ValueError, match=f"{names} of deep_hiding alone; noise has the parameters per, budget"):
            job("noise", **options)
    with pytest.raises(ValueError, match="unknown among the protections"):
        job("silence")
    with pytest.raises(ValueError, match="expected parameters of noise"):
        job("noise:size=3")
    with pytest.raises(ValueError, match="expected deep_hiding:per as class or sample, got 'image'"):
        job("deep_hiding:per=image")
    assert not (tmp_path / "out").exists()
    by_option = job("deep_hiding", per="sample", deal="order", weights=weights, budget="linf:4")
    spec = f"deep_hiding:per=sample,deal=order,budget=linf:4,weights={weights}"
    assert job(spec, dst=tmp_path / "other") == by_option
    assert contents(tmp_path / "out") == contents(tmp_path / "other")
    assert by_option.method == "deep_hiding" and str(weights) not in (tmp_path / "out" / "report.json").read_text()


def test_nothing_is_revealed_where_nothing_is_hidden(job, squares, tmp_path):
    report = job("noise")
    out = tmp_path / "out"
    for path in (out, out / "cat" / "a.png"):
        with pytest.raises(ValueError, match=r"nothing is hidden in .* protected by noise:per=class,budget=rms:8"):
            reveal_folder(path, tmp_path / "revealed")
    assert report.weights == "" and report.secret_numbers == []
    side_by_side(squares, out, tmp_path / "key", tmp_path / "sheet.png")
    assert opened(tmp_path / "sheet.png").width == 858  # three columns


def test_verify_does_not_believe_the_number_of_pixels_nor_of_the_file(job, squares, tmp_path):
    job("noise", budget="l0:5")
    manifest = tmp_path / "out" / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    lines[0] |= {"l0": 2}
    lines[1] |= {"variation": 3}
    lines[2] |= {"secret_number": 1}
    del lines[3]["l0"]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = {file: " ".join(problems) for file, problems in verify_folder(tmp_path / "out", squares).violations.items()}
    assert "l0 is 5, the manifest says 2" in found[lines[0]["output"]]
    assert "the manifest says 3" in found[lines[1]["output"]]
    assert "secret_number is None, the manifest says 1" in found[lines[2]["output"]]
    assert "l0 is 5, the manifest says None" in found[lines[3]["output"]]
    assert set(found) == {"report.json", *(line["output"] for line in lines[:4])}  # unmeasured is over its budget
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    report["options"]["budget"] = "l0:4"
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    assert "outside its budget l0:4" in str(verify_folder(tmp_path / "out", squares).violations[lines[4]["output"]])


def test_a_checkpoint_is_no_picture(job, tmp_path):
    job("noise")
    (tmp_path / "out" / CHECKPOINT).write_bytes(b"left over")
    assert len(picture_files(tmp_path / "out")) == 5
    job("noise")
    assert not (tmp_path / "out" / CHECKPOINT).exists()


def test_a_damaged_checkpoint_is_not_published(job, squares, tmp_path):
    before = job("searched")
    (tmp_path / "out" / "dog" / "a.png").unlink()
    (tmp_path / "out" / CHECKPOINT).write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="set aside as checkpoint.corrupt"):
        assert job("searched") == before
    assert verify_folder(tmp_path / "out", squares).ok


def test_the_command_line(squares, photos, tmp_path):
    words = ("protect", squares, tmp_path / "out", "--key", tmp_path / "key", "--device", "cpu", "--method")
    shown = run(*words, "searched", "--budget", "l0:2").output
    assert (
        "5 pictures protected" in shown
        and "at most 2 pixels changed" in shown
        and "method searched:diverges=-1,budget=l0:2" in shown
    )
    run("verify", tmp_path / "out", "--original", squares)
    assert "nothing is hidden" in run("reveal", tmp_path / "out", "--out", tmp_path / "secrets", code=2).output
    assert "another run" in run(*words, "noise", code=2).output
    assert "an option of deep_hiding alone" in run(*words, "noise", "--per", "class", code=2).output
    assert "unknown among the protections" in run(*words, "silence", code=2).output
    new = ("protect", photos, tmp_path / "new", *words[3:])
    assert "--working-size" in run(*new, "together", code=2).output
    assert "loss is nan at step 3" in run(*new, "searched:diverges=2", "--working-size", 16, code=2).output
    run(*words[:2], tmp_path / "newer", *words[3:], "noise:per=sample")
