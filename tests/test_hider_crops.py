import shutil

import numpy as np
import pytest
from PIL import Image

from banks import small_bank
from unlearnable.hider_training.crops import FolderCrops, Mixture, RandomSecrets
from unlearnable.semantics.bank import BANK, SHEET


def test_sources(covers, tmp_path):
    shutil.copy(covers / "0.png", covers / "notes.txt")
    for source in (FolderCrops(covers), RandomSecrets(0)):
        drawn, again = (source.draw(np.random.default_rng(0), 3, 24).pictures for _ in range(2))
        assert drawn.shape == (3, 3, 24, 24)
        assert np.array_equal(drawn, again)
        assert not np.array_equal(drawn[0], drawn[1])
    with pytest.raises(FileNotFoundError, match="expected pictures"):
        FolderCrops(tmp_path / "nothing")


def test_a_mixture_draws_whole_batches_of_either(covers):
    drawings, pictures = RandomSecrets(0), FolderCrops(covers)
    mixture = Mixture(drawings, pictures, 0.25)
    assert mixture.fingerprint == f"{drawings.fingerprint} {pictures.fingerprint}"
    rng = np.random.default_rng(0)
    batches = [mixture.draw(rng, 2, 16) for _ in range(200)]
    pictured = sum(int(batch.labels.max()) == 0 for batch in batches)  # one folder: one class
    assert 30 < pictured < 70
    assert all(batch.pictures.shape == (2, 3, 16, 16) for batch in batches)
    for share, source in ((0.0, drawings), (1.0, pictures)):
        mixed, alone = (np.random.default_rng(1) for _ in range(2))
        alone.random()
        drawn, expected = Mixture(drawings, pictures, share).draw(mixed, 3, 16), source.draw(alone, 3, 16)
        assert np.array_equal(drawn.pictures, expected.pictures)
        assert np.array_equal(drawn.labels, expected.labels)


def test_a_banks_contact_sheet_is_no_secret(tmp_path):
    bank = small_bank(tmp_path)
    shutil.rmtree(tmp_path / "images")
    pictures = sorted(bank.folder / picture.file for of_class in bank.classes for picture in of_class.pictures)
    assert FolderCrops(tmp_path).files == FolderCrops(bank.folder).files == pictures
    (bank.folder / BANK).unlink()
    assert FolderCrops(bank.folder).files == [*pictures, bank.folder / SHEET]


def test_crops_smaller_than_asked_are_enlarged_and_bombs_refused(tmp_path, monkeypatch):
    Image.new("RGB", (10, 12)).save(tmp_path / "a.png")
    assert FolderCrops(tmp_path).draw(np.random.default_rng(0), 1, 32).pictures.shape == (1, 3, 32, 32)
    monkeypatch.setattr("unlearnable.images.photos.MAX_PIXELS", 100)
    with pytest.raises(ValueError, match=r"a\.png: more than 100 pixels.*take it out"):
        FolderCrops(tmp_path).draw(np.random.default_rng(0), 1, 32)


def test_batches_hold_runs_of_one_class(tmp_path):
    tones = {"dark": 50, "light": 200, "mid": 120}
    for name, tone in tones.items():
        for number in range(3 if name == "dark" else 1):
            ramp = np.linspace(0, 40, 40, dtype=np.uint8)[None, :, None] + np.zeros((40, 40, 3), dtype=np.uint8)
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(ramp + np.uint8(tone)).save(tmp_path / name / f"{number}.png")
    source = FolderCrops(tmp_path)
    pictures, labels = source.draw(np.random.default_rng(0), 12, 16, 2)
    assert labels.tolist() == labels[::2].repeat(2).tolist()
    assert sorted(labels[:6]) == sorted(labels[6:]) == [0, 0, 1, 1, 2, 2]
    brightness = pictures.mean((1, 2, 3))
    for label, tone in enumerate(tones.values()):
        assert np.all(abs(brightness[labels == label] - tone - 20) < 20)
    assert np.array_equal(pictures[::2], pictures[1::2])  # cut and flipped alike
    assert source.draw(np.random.default_rng(0), 5, 16, 2).pictures.shape == (5, 3, 16, 16)
    rendered, labels = RandomSecrets(0).draw(np.random.default_rng(0), 6, 32, 3)
    assert labels[0] == labels[2] != labels[3]
    alike = np.corrcoef(rendered.mean(1).reshape(6, -1))
    assert min(alike[0, 1], alike[1, 2], alike[3, 4]) > 0.5 > abs(alike[0, 3])
