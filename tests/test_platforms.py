"""Protect for a platform: the size that is served there, the budget of the written file, and the way back."""

import json
from dataclasses import asdict, replace
from typing import get_args

import numpy as np
import outsider
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from commands import run
from samples import opened, picture
from test_folder_cluster import contents, no_network  # noqa: F401
from unlearnable import ProtectOptions, protect_folder, reveal_folder, verify_folder
from unlearnable.audit.published import measured
from unlearnable.countermeasures import countermeasure_named
from unlearnable.countermeasures.route import Platform as PlatformCountermeasure
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.method import RefusedError
from unlearnable.folder.preview import side_by_side
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import Photo, read_photo
from unlearnable.images.platforms import PLATFORMS, PublishedSize
from unlearnable.images.strength import keeps
from unlearnable.images.visibility import visibility
from unlearnable.options import Platform

NAMES = get_args(Platform)
sides = st.integers(1, 6000)


@pytest.fixture
def small(monkeypatch):
    """Platforms that serve 24 px."""
    for name in NAMES:
        monkeypatch.setitem(PLATFORMS, name, replace(PLATFORMS[name], sizes=(24,)))


def reduced(file, copy):
    """The original as Pillow brings it to the copy's size."""
    return np.asarray(opened(file).convert("RGB").resize(copy.shape[1::-1], Image.Resampling.LANCZOS))


def pixels(file):
    return read_photo(file.read_bytes()).rgb


def test_names_agree():
    served = get_args(PlatformCountermeasure.__dataclass_fields__["name"].type)
    assert set(NAMES) == set(PLATFORMS) - {"pixiv_thumbnail"} and set(served) == set(PLATFORMS)
    for name in NAMES:
        assert ProtectOptions(platform=name).recorded()["platform"] == asdict(PublishedSize.of(name))
        countermeasure_named(f"platform:name={name}")


@given(st.sampled_from(NAMES), sides, sides)
def test_the_size_is_what_the_platform_serves(name, height, width):
    size, preset = PublishedSize.of(name), PLATFORMS[name]
    rows, columns = size.shape(height, width)
    served = preset.resized(height, width, preset.sizes[0])
    assert served[0] - rows in (0, 1) and served[1] - columns in (0, 1)
    if min(rows, columns) > 1:
        assert preset.resized(rows, columns, preset.sizes[0]) == (rows, columns)  # it is not resampled again


@pytest.mark.parametrize("name", NAMES)
def test_every_platform(job, photos, tmp_path, small, name):
    out = tmp_path / "out"
    words = {"platform": name, "format": "png", "visibility": None}
    report = job(photos, **words)
    assert report.options["platform"] == {"name": name, "rule": PLATFORMS[name].rule, "pixels": 24}
    assert report.summary["protected"] == 5 and report.summary["over_budget"] == 0 < report.summary["linf_max"]
    for entry in read_manifest(out).values():
        copy = pixels(out / entry.output)
        assert (entry.height, entry.width) == copy.shape[:2]
        assert {"width": entry.width, "longest": max(copy.shape[:2])}.get(PLATFORMS[name].rule, 24) == 24
        assert entry.height * entry.width <= 25**2 or PLATFORMS[name].rule != "area"
        original = reduced(photos / entry.file, copy)
        assert Budget.parse(report.options["budget"]).holds(original, copy)
        assert keeps(visibility(original, copy), original, report.options["strength"])
    outsider.check(photos, out)
    assert verify_folder(out, photos, visibility=True).ok
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.suffix != ".json"}
    assert job(photos, **words) == report
    copies = [path for path in times if path.suffix != ".jsonl"]
    assert all(path.stat().st_mtime_ns == times[path] for path in copies)


@pytest.mark.parametrize("name", NAMES)
def test_smaller_pictures_stay_as_they_are(job, photos, tmp_path, name):
    job(photos, tmp_path / "plain")
    job(photos, platform=name, format="png")
    assert all(
        pixels(tmp_path / "out" / file).tobytes() == pixels(tmp_path / "plain" / file).tobytes()
        for file in ("cat/a.png", "cat/deep/b.png", "dog/a.png")
    )


def test_what_is_best_uploaded(job, photos, tmp_path, small):
    for name in NAMES:
        jpeg = ({"format": "jpeg"}, {"quality": 90}) if name == "web" else ({"format": "png"}, {})
        options = ProtectOptions(platform=name).recorded()
        assert options.items() >= {**jpeg[0], **jpeg[1]}.items() and ("quality" in options) == (name == "web")
    assert ProtectOptions(platform="pixiv", format="jpeg").recorded()["quality"] == PLATFORMS["pixiv"].quality
    assert ProtectOptions(platform="web", format="webp").recorded()["format"] == "webp"
    report = job(photos, platform="web")
    assert report.options["quality"] == 90 and opened(tmp_path / "out" / "cat" / "a.jpg").format == "JPEG"
    outsider.check(photos, tmp_path / "out")
    assert verify_folder(tmp_path / "out", photos).ok


def test_grey_alpha_and_profile_stay(job, tmp_path, small):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    picture(1, 60, 50).convert("L").save(source / "grey.png")
    image, profile = (
        picture(2, 60, 50).convert("RGBA"),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    )
    image.putalpha(Image.linear_gradient("L").resize((60, 50)))
    image.save(source / "alpha.png", icc_profile=profile)
    job(source, platform="x")
    grey, alpha = (read_photo((out / f"{name}.png").read_bytes()) for name in ("grey", "alpha"))
    assert grey.pixels.shape == (20, 24, 1) and alpha.pixels.shape == (20, 24, 3)
    expected = np.asarray(image.getchannel("A").resize((24, 20), Image.Resampling.LANCZOS))
    assert np.array_equal(alpha.alpha, expected) and alpha.icc == profile
    assert verify_folder(out, source).ok


def test_a_working_picture_no_larger_than_the_copy(job, photos, tmp_path, small):
    job(photos, platform="x", working_size=12)
    entry = read_manifest(tmp_path / "out")["cat/a.png"]
    assert (entry.working_width, entry.working_height, entry.width, entry.height) == (12, 9, 24, 18)
    assert verify_folder(tmp_path / "out", photos).ok


def test_a_run_is_that_of_its_size(job, photos, tmp_path, small, monkeypatch):
    report, out = job(photos, platform="x"), tmp_path / "out"
    for other in (None, "bluesky"):
        with pytest.raises(RefusedError, match=r"another run .other platform: "):
            job(photos, platform=other)
    monkeypatch.setitem(PLATFORMS, "x", replace(PLATFORMS["x"], sizes=(20,)))  # X serves others now
    assert verify_folder(out, photos).ok
    with pytest.raises(RefusedError, match=r"'pixels': 20. instead of .*'pixels': 24"):
        job(photos, platform="x")
    assert Report.load(out) == report


def test_verify_does_not_believe_the_size(job, photos, tmp_path, small):
    job(photos, platform="x")
    out = tmp_path / "out"
    picture(3, 40, 30).save(out / "cat" / "a.png")
    found = verify_folder(out, photos).violations
    assert set(found) == {"cat/a.png"} and "its size is (30, 40), not (18, 24), at which" in " ".join(
        found["cat/a.png"]
    )
    report = json.loads((out / "report.json").read_text())
    report["options"]["platform"]["rule"] = "height"
    (out / "report.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match="expected width or longest or area for rule"):
        verify_folder(out, photos)


def test_a_method_of_the_whole_set_needs_a_working_size(tmp_path, photos, small):
    words = {"method": "tap", "key": tmp_path / "key", "platform": "x", "device": "cpu"}
    with pytest.raises(RefusedError, match=r"say with --working-size .*; --for x says at which size"):
        protect_folder(photos, tmp_path / "out", **words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["noise", "noise:per=sample"])
def test_other_methods(tmp_path, photos, small, method):
    report = protect_folder(photos, tmp_path / "out", method=method, key=tmp_path / "key", platform="instagram")
    assert report.summary["protected"] == 5 and {e.width for e in read_manifest(tmp_path / "out").values()} == {24}
    assert verify_folder(tmp_path / "out", photos).ok
    outsider.check(photos, tmp_path / "out")


def test_a_cluster_writes_the_same(job, photos, tmp_path, small, no_network):  # noqa: F811
    job(photos, tmp_path / "here", platform="x")
    report = job(photos, platform="x", ray=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "here")
    assert report.options["platform"]["name"] == "x"


def test_what_is_hidden_outlives_the_platform(tmp_path):
    """With the weights that ship: `reveal` knows the key of copies and of what the platform makes of them."""
    source, out, served = tmp_path / "source", tmp_path / "out", tmp_path / "served"
    source.mkdir(), served.mkdir()
    for index in range(4):
        noise = np.random.default_rng(index).normal(0, 12, (360, 480, 3))
        drawn = np.asarray(picture(index, 480, 360)).astype(float) * 0.6 + 50
        Image.fromarray((drawn + noise).clip(0, 255).astype(np.uint8)).save(source / f"{index}.png")
    preset = replace(PLATFORMS["instagram"], sizes=(320,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PLATFORMS, "instagram", preset)
        (tmp_path / "key").write_bytes(bytes(range(32)))
        protect_folder(source, out, key=tmp_path / "key", platform="instagram", strength="full", visibility=0)
    for file in out.glob("*.png"):
        copy = pixels(file)
        (served / file.with_suffix(".jpg").name).write_bytes(preset.file(np.array(copy), 320))
        assert copy.shape == (240, 320, 3) == pixels(served / file.with_suffix(".jpg").name).shape
    number = Report.load(out).secret_numbers[0]
    for path, words in ((out, {}), (served, {"secret_number": number})):
        score = reveal_folder(path, tmp_path / f"secrets of {path.name}", key=tmp_path / "key", **words).key_score
        assert score.beaten >= 990


def test_an_audit_and_a_preview_measure_at_that_size(job, photos, tmp_path, small, weights):
    job(photos, platform="x")
    out, entries = tmp_path / "out", read_manifest(tmp_path / "out")
    names = [entry.output for entry in entries.values()]
    data = ImageSet(torch.zeros(5, 3, 16, 16, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64), ("a",))
    found = measured(out, names, photos, list(entries), data)
    assert sorted(quality.rms for quality in found.qualities) == sorted(e.quality.rms for e in entries.values())
    assert len(found.visibilities) == 5 and found.over_budget == 0
    side_by_side(photos, out, tmp_path / "key", tmp_path / "side.png", weights=weights)


def test_the_command(photos, tmp_path, weights):
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    run(*words, "--for", "bluesky")
    assert Report.load(tmp_path / "out").options["platform"]["name"] == "bluesky"
    run("verify", tmp_path / "out", "--original", photos)
    assert "'myspace' is not one of" in run(*words, "--for", "myspace", code=2).output


def test_a_photo_that_is_small_enough_is_not_touched():
    photo = Photo(np.zeros((10, 10, 3), np.uint8))
    assert PublishedSize.of("web").reduced(photo) is photo
