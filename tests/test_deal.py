"""Which secret serves which class of a folder."""

import numpy as np
import pytest
from PIL import Image

from banks import small_bank
from samples import picture
from test_assignment import most_striped, noise, stripes
from unlearnable import verify_folder
from unlearnable.folder.dealing import deal_secrets
from unlearnable.folder.manifest import read_manifest
from unlearnable.folder.protect import RefusedError
from unlearnable.images.scan import scan
from unlearnable.keys import Key
from unlearnable.semantics.assignment import SPARE, contrary, mean_spectrum, spectrum
from unlearnable.semantics.secrets import RenderedSecrets

KEY = Key(bytes(range(32)))


@pytest.fixture
def made(tmp_path):
    """A folder of classes, by name: functions that draw a picture."""

    def make(**classes):
        rng = np.random.default_rng(0)
        for name, draw in classes.items():
            (tmp_path / "made" / name).mkdir(parents=True)
            for index in range(4):
                drawn = np.asarray(draw(rng))
                file = tmp_path / "made" / name / f"{index}.png"
                Image.fromarray(drawn.transpose(1, 2, 0) if drawn.ndim == 3 else drawn).save(file)
        return tmp_path / "made"

    return make


def upright(rng):
    return stripes(rng, 2, True)


def numbers(out):
    return {entry.class_name: entry.secret_number for entry in read_manifest(out).values()}


@pytest.mark.parametrize("seed", range(8))
def test_stripes_do_not_get_the_most_striped_secret(made, tmp_path, job, seed):
    source = made(ape=noise, bars=upright, cat=noise)
    key = Key.of_seed(seed)
    (tmp_path / "key").write_bytes(key.secret)
    report = job(source)
    assert numbers(tmp_path / "out") == dict(zip(report.classes, report.secret_numbers, strict=True))
    striped = np.asarray(Image.open(source / "bars" / "0.png")).transpose(2, 0, 1)
    assert report.secret_numbers[1] != most_striped(RenderedSecrets(key), striped)
    assert verify_folder(tmp_path / "out", source).ok


def test_in_order_or_contrary_to_the_working_pictures(made, tmp_path):
    source = made(ape=noise, bars=upright, cat=noise)
    words = {"src": source, "found": scan(source), "classes": ["ape", "bars", "cat"], "secrets": RenderedSecrets(KEY)}
    assert deal_secrets("order", taken=[], working_size=99, **words) == [0, 1, 2]
    assert deal_secrets("order", taken=[0], working_size=99, **words) == [0, 1, 2]
    pictures = [
        [np.asarray(Image.open(file)) for file in sorted((source / name).iterdir())] for name in words["classes"]
    ]
    spectra = [mean_spectrum(spectrum(p.transpose(2, 0, 1)) for p in of_class) for of_class in pictures]
    expected = contrary(spectra, RenderedSecrets(KEY), 32, 32)
    assert deal_secrets("contrary", taken=[], working_size=99, **words) == expected
    small = deal_secrets("contrary", taken=[], working_size=16, **words)
    assert len(set(small)) == 3


def test_a_resumed_run_keeps_what_was_dealt_and_new_classes_get_what_is_free(made, tmp_path, job, monkeypatch):
    source = made(bars=upright, cat=noise)
    first = job(source)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    for index in range(4):  # now the old classes look otherwise, and two come before and behind them
        picture(index).save(source / "cat" / f"{index}.png")
        for name in ("ape", "owl"):
            (source / name).mkdir(exist_ok=True)
            picture(index + 9).save(source / name / f"{index}.png")
    second = job(source)
    assert second.classes == ["bars", "cat", "ape", "owl"]
    assert second.secret_numbers[:2] == first.secret_numbers
    assert len(set(second.secret_numbers)) == 4
    assert all(path.stat().st_mtime_ns == times[path] for path in (tmp_path / "out" / "bars").iterdir())
    assert verify_folder(tmp_path / "out", source).ok
    monkeypatch.setattr("unlearnable.folder.dealing._readable", None)  # nothing is looked at again
    assert job(source) == second
    with pytest.raises(RefusedError, match="other deal: order instead of contrary"):
        job(source, deal="order")
    assert job(source, tmp_path / "new", deal="order").secret_numbers == [0, 1, 2, 3]


def test_what_cannot_be_read_is_passed_over(made, tmp_path, job):
    source = made(bars=upright, cat=noise)
    (source / "dog").mkdir()
    (source / "dog" / "a.png").write_bytes(b"no picture")
    (source / "bars" / "0.png").write_bytes(b"no picture")
    report = job(source)
    assert report.summary["protected"] == 7
    assert len(set(report.secret_numbers)) == 3
    again = job(source, tmp_path / "again")
    assert again.secret_numbers == report.secret_numbers


def test_one_class_more_classes_than_spare_and_a_bank_that_just_suffices(made, tmp_path, job):
    source = made(**{f"c{place:02}": noise for place in range(SPARE + 3)})
    assert sorted(job(source).secret_numbers) == list(range(SPARE + 3))
    for folder in source.iterdir():
        if folder.name > "c02":
            for file in folder.iterdir():
                file.unlink()
    bank = small_bank(tmp_path / "semantics", classes=3, per_class=1).folder
    assert sorted(job(source, tmp_path / "three", secrets=bank).secret_numbers) == [0, 1, 2]
    assert job(source / "c00", tmp_path / "one").secret_numbers == [0]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 40), (20, 20)])
def test_grey_and_tiny_photos(made, tmp_path, job, height, width):
    source = made(
        a=lambda rng: noise(rng, height, width)[0],
        b=lambda rng: noise(rng, height, width)[0] // 2,
        c=lambda rng: np.full((height, width), 7, np.uint8),
    )
    assert len(set(job(source).secret_numbers)) == 3
    assert verify_folder(tmp_path / "out", source).ok


def test_files_are_sampled(made, tmp_path, monkeypatch):
    source = made(bars=upright, cat=noise)
    seen = []
    monkeypatch.setattr("unlearnable.folder.dealing._readable", lambda file, size: seen.append(file.name))
    words = {"src": source, "found": scan(source), "taken": [], "secrets": RenderedSecrets(KEY), "working_size": 512}
    for samples, expected in ((2000, ["0.png", "1.png", "2.png", "3.png"]), (4, ["0.png", "2.png"]), (1, ["0.png"])):
        seen.clear()
        monkeypatch.setattr("unlearnable.folder.dealing.SAMPLES", samples)
        assert deal_secrets("contrary", classes=["bars", "cat"], **words) == [0, 1]
        assert sorted(seen) == sorted(expected * 2)
