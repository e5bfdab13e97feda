"""Classes of a flat folder: pictures grouped by what they show, the same every time, and those of later beside them."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import outsider
import pytest
import torch
from PIL import Image

from commands import run
from quick import QUICK
from samples import picture
from test_folder_cluster import contents, no_network  # noqa: F401
from unlearnable import ProtectOptions, protect_folder, reveal_folder, verify_folder
from unlearnable.accuse.ownership import Ownership
from unlearnable.folder import grouping
from unlearnable.folder.grouping import SEEN_BY, Groups, group_files, look_of
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.method import RefusedError
from unlearnable.hiding.surrogates import HELD_OUT
from unlearnable.images.scan import GROUPS, scan

COLOURS = {"sea": (30, 90, 200), "wood": (40, 150, 50), "sand": (220, 190, 120)}


def colours_of(seen_by, device):
    """Looks at mean colours alone, in the place of a network."""
    assert seen_by == SEEN_BY
    return lambda pictures: pictures.float().mean((2, 3)).numpy()


@pytest.fixture(autouse=True)
def no_network_looks(monkeypatch):
    """The network has a test of its own."""
    monkeypatch.setattr(grouping, "look_of", colours_of)


def view(colour, seed, width=40, height=30):
    """A picture of one colour, with some noise."""
    noise = np.random.default_rng(seed).normal(0, 10, (height, width, 3))
    return Image.fromarray((noise + colour).clip(0, 255).astype(np.uint8))


@pytest.fixture
def flat(tmp_path):
    """Three kinds of pictures in one folder, in no order."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for index in range(15):
        kind = list(COLOURS)[index % 3]
        view(COLOURS[kind], index).save(folder / f"{index:02} {kind}.png")
    return folder


def groups_of(out):
    """The names of each group's files."""
    found = defaultdict(set)
    for name, entry in read_manifest(out).items():
        found[entry.class_name].add(name)
    return dict(found)


def kinds(groups):
    """Of the files of each group."""
    return sorted({name.split()[1].removesuffix(".png") for name in names} for names in groups.values())


def test_pictures_alike_are_one_class(job, flat, tmp_path):
    report, out = job(flat, classes="auto"), tmp_path / "out"
    assert report.classes == ["group-1", "group-2", "group-3"] and len(set(report.secret_numbers)) == 3
    assert report.options["classes"] == "auto" and report.options["seen_by"] == SEEN_BY
    groups = groups_of(out)
    assert kinds(groups) == sorted([{kind} for kind in COLOURS])
    assert {path.name for path in out.iterdir()} == {path.name for path in flat.iterdir()} | {
        *("manifest.jsonl", "report.json", GROUPS)
    }
    for entry in read_manifest(out).values():
        assert entry.class_name == report.classes[entry.class_index]
        assert entry.secret_number == report.secret_numbers[entry.class_index]
    assert verify_folder(out, flat).ok
    outsider.check(flat, out)


def test_the_same_pictures_and_key_give_the_same_bytes(job, flat, tmp_path):
    for name in ("out", "again"):
        job(flat, tmp_path / name, groups=4)
    assert contents(tmp_path / "out") == contents(tmp_path / "again")
    assert len(Report.load(tmp_path / "out").classes) == 4


def test_resuming_looks_at_nothing_and_new_files_go_to_the_nearest(job, flat, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = job(flat, classes="auto")
    before, times = groups_of(out), {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    kept = (out / GROUPS).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "look_of", lambda *_: pytest.fail("looked at pictures that are known"))
        assert job(flat, classes="auto") == first
        assert job(flat) == first  # a run goes on as it began
    for index, kind in enumerate(["sea", "sand", "sea"], 90):
        view(COLOURS[kind], index).save(flat / f"{index} {kind}.png")
    looked = []
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "look_of", lambda *of: lambda seen: looked.append(len(seen)) or colours_of(*of)(seen))
        report = job(flat)
    assert looked == [3] and report.classes == first.classes and report.secret_numbers == first.secret_numbers
    after = groups_of(out)
    assert all(before[name] <= after[name] for name in before) and kinds(after) == kinds(before)
    assert all(path.stat().st_mtime_ns == moment for path, moment in times.items())
    assert (out / GROUPS).read_bytes() == kept
    assert verify_folder(out, flat).ok


def test_killed_before_it_began_it_finds_the_same_groups(job, flat, tmp_path, monkeypatch):
    job(flat, tmp_path / "whole", classes="auto")

    def stop(groups, folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Groups, "save", stop)
        job(flat, classes="auto")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json"}
    job(flat, classes="auto")
    assert groups_of(tmp_path / "out") == groups_of(tmp_path / "whole")


def test_a_large_folder_is_grouped_by_a_part_of_it(job, flat, tmp_path, monkeypatch):
    monkeypatch.setattr(grouping, "FITTED", 6)
    monkeypatch.setattr(grouping, "AT_ONCE", 4)
    kept = []
    found = Groups.of
    monkeypatch.setattr(Groups, "of", lambda by, seen, count: kept.append(seen) or found(by, seen, count))
    job(flat, groups=3)
    assert [len(seen) for seen in kept] == [6]
    assert kinds(groups_of(tmp_path / "out")) == sorted([{kind} for kind in COLOURS])


def test_one_class_whatever_the_folders(job, photos, tmp_path):
    report = job(photos, classes="one")
    assert report.classes == ["."] and report.options["classes"] == "one" and "seen_by" not in report.options
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.png")} == {"cat", "deep", "dog", "owl"}
    assert verify_folder(tmp_path / "out", photos).ok


def test_groups_take_no_notice_of_folders(job, tmp_path):
    source = tmp_path / "source"
    for index, name in enumerate(["a/0 sea.png", "a/1 sand.png", "b/2 sea.png", "b/3 sand.png", "4 sea.png"]):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        view(COLOURS[name.split()[1].removesuffix(".png")], index).save(source / name)
    report = job(source, classes="auto")
    assert kinds(groups_of(tmp_path / "out")) == sorted([{"sea"}, {"sand"}]) and len(report.classes) == 2
    assert (tmp_path / "out" / "a" / "1 sand.png").exists() and verify_folder(tmp_path / "out", source).ok


def test_sub_folders_stay_classes_where_nobody_says(job, photos):
    report = job(photos)
    assert report.classes == ["cat", "dog", "owl"] and "classes" not in report.options


def test_a_flat_folder_is_grouped_where_nobody_says(job, flat, tmp_path):
    assert job(flat, tmp_path / "few").classes == ["."]  # too few to train on
    for index in range(15, 21):
        view(COLOURS["sea"], index).save(flat / f"{index} sea.png")
    assert job(flat).classes == ["group-1", "group-2", "group-3"]
    assert job(flat, tmp_path / "few").classes == ["."]  # a run goes on as it began


def test_files_that_cannot_be_read(job, flat, tmp_path):
    (flat / "broken.png").write_bytes(b"broken")
    report = job(flat, classes="auto")
    assert report.summary["protected"] == 15 and [file["file"] for file in report.skipped] == ["broken.png"]
    view(COLOURS["sea"], 50).save(flat / "broken.png")  # mended
    assert job(flat).summary["protected"] == 16
    entries = read_manifest(tmp_path / "out")
    assert entries["broken.png"].class_name == entries["00 sea.png"].class_name


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_pictures(job, tmp_path, count):
    source = tmp_path / "source"
    source.mkdir()
    (source / "broken.png").write_bytes(b"broken")
    for index in range(count):
        picture(index).save(source / f"{index}.png")
    report = job(source, classes="auto")
    assert report.summary["protected"] == count and report.options["classes"] == "auto"
    assert job(source) == report
    if count < 3:
        assert report.classes == (["group-1"] if count else [])


def test_pictures_that_are_all_alike_are_one_group(job, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for index in range(5):
        picture(1).save(source / f"{index}.png")
    assert job(source, classes="auto").classes == ["group-1"]
    with pytest.raises(RefusedError, match="expected at least 2 different pictures for 2 groups, got 1"):
        job(source, tmp_path / "two", groups=2)


def test_refused(job, flat, tmp_path):
    with pytest.raises(RefusedError, match="expected at least 16 different pictures for 16 groups, got 15"):
        job(flat, groups=16)
    assert not list((tmp_path / "out").glob("*.*"))
    job(flat, groups=3)
    with pytest.raises(RefusedError, match="holds a run with 3 groups, and 4 are asked for; name another folder"):
        job(flat, groups=4)
    for other in ("folders", "one"):
        with pytest.raises(RefusedError, match=r"another run .other .*classes"):
            job(flat, classes=other)
    (tmp_path / "out" / GROUPS).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"groups\.safetensors does not hold the groups of a run"):
        job(flat)
    (tmp_path / "out" / GROUPS).unlink()
    with pytest.raises(RefusedError, match=r"lacks groups\.safetensors, .*; put it back, or name another folder"):
        job(flat)
    for options, message in (
        ({"groups": 3, "classes": "one"}, "expected groups with the classes auto alone, got 3 with one"),
        ({"groups": 1}, "expected at least 2 groups, got 1; for a single class name the classes one"),
    ):
        with pytest.raises(ValueError, match=message):
            ProtectOptions(**options)


def test_verify_does_not_believe_a_group(job, flat, tmp_path):
    job(flat, classes="auto")
    file = tmp_path / "out" / "manifest.jsonl"
    line, *others = file.read_text().splitlines(keepends=True)
    file.write_text(line.replace('"class_name": "group-', '"class_name": "unheard-of-') + "".join(others))
    violations = verify_folder(tmp_path / "out", flat).violations
    assert "class_index is None" in str(violations) and "summary" in str(violations["report.json"])


@pytest.mark.parametrize("method", ["noise", QUICK["em"]])
def test_other_methods(tmp_path, flat, method):
    words = {"key": tmp_path / "key", "device": "cpu", "working_size": 24}
    report = protect_folder(flat, tmp_path / "out", method=method, groups=3, **words)
    assert report.classes == ["group-1", "group-2", "group-3"] and report.summary["protected"] == 15
    assert verify_folder(tmp_path / "out", flat).ok


def test_a_cluster_writes_the_same(job, flat, tmp_path, no_network):  # noqa: F811
    job(flat, tmp_path / "here", classes="auto")
    job(flat, classes="auto", ray=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "here")


def test_reveal_and_accuse_know_the_groups(job, flat, tmp_path, weights):
    report = job(flat, classes="auto", format="png")
    revelation = reveal_folder(tmp_path / "out", tmp_path / "secrets", key=tmp_path / "key", weights=weights)
    assert len(revelation.revealed) == 15 and revelation.key_score
    owned = Ownership.of(tmp_path / "out", tmp_path / "key", "render", weights)
    assert Counter(owned.classes) == Counter(report.classes)
    waves = owned.waves(flat)  # dealt at the same pictures, or it is refused
    assert waves and len(waves.spectra) == 3


def test_a_network_looks(flat, monkeypatch):
    monkeypatch.undo()
    assert SEEN_BY != HELD_OUT
    look = look_of(SEEN_BY, torch.device("cpu"))
    assert look(torch.zeros(3, 3, 64, 64, dtype=torch.uint8)).shape == (3, 1280)
    files, groups = group_files(flat, scan(flat), None, 3, {}, torch.device("cpu"), lambda *_: None)
    assert groups.seen_by == SEEN_BY and len({file.group for file in files}) == 3


def test_groups_are_found_again_and_named_by_size(tmp_path):
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (12, 8))
    seen = np.concatenate([centre + rng.normal(0, 0.01, (20 - place, 8)) for place, centre in enumerate(centres)])
    groups = Groups.of("x", seen.astype(np.float32))
    assert groups.names[0] == "group-01" and len(groups.centres) == 12
    sizes = Counter(groups.nearest(seen))
    assert [sizes[name] for name in groups.names] == list(range(20, 8, -1))
    groups.save(tmp_path)
    assert Groups.load(tmp_path).nearest(seen) == groups.nearest(seen)
    assert Groups.load(tmp_path).seen_by == "x"


def test_groups_of_another_network_are_not_mixed_with_its_own(job, flat, tmp_path):
    job(flat, classes="auto")
    groups = Groups.load(tmp_path / "out")
    replace(groups, seen_by="colour and texture").save(tmp_path / "out")
    with pytest.raises(RefusedError, match="was grouped by colour and texture, which this version does not do"):
        job(flat)


def test_the_command(flat, tmp_path, weights):
    words = ("protect", flat, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    assert "in 3 groups by what they show (seen by efficientnet_lite0)" in run(*words, "--groups", 3).output
    run("verify", tmp_path / "out", "--original", flat)
    assert "3 groups, and 2 are asked for" in run(*words, "--groups", 2, code=2).output
