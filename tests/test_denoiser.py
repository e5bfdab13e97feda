import json

import pytest

from commands import run
from sets import smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.denoiser import DenoiserQuality, train_denoiser


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "clean"
    smooth(40, side=16).save(folder)
    return folder


def trained(pictures, out, minutes):
    *steps, quality = train_denoiser(pictures, out, 16, minutes, channels=8)
    assert isinstance(quality, DenoiserQuality)
    return steps, quality


def test_it_learns_goes_on_and_serves(pictures, tmp_path):
    _, untrained = trained(pictures, tmp_path, 0)
    steps, first = trained(pictures, tmp_path, 0.03)
    assert steps[0][0] == 1 and first.steps == steps[-1][0] and first.pictures == 4
    assert first.loss < untrained.loss
    assert json.loads((tmp_path / "quality.json").read_text())["psnr"] == first.psnr
    more, _ = trained(pictures, tmp_path, 0.08)
    assert more[0][0] == first.steps + 1
    avatar = countermeasure_named(f"avatar:model={tmp_path},step=4")
    data = smooth(4, side=16)
    avatar.check_serves(data)
    assert avatar.purify(data, Knowledge()).images.shape == data.images.shape
    with pytest.raises(ValueError, match="channels"):
        list(train_denoiser(pictures, tmp_path, 16, 0, channels=16))


def test_what_will_not_do(pictures, tmp_path, photos):
    with pytest.raises(ValueError, match="multiple of 4 and channels of 8, got 18 and 8"):
        list(train_denoiser(pictures, tmp_path, 18, 1, channels=8))
    with pytest.raises(ValueError, match="at least 20 pictures to learn from, got 5"):
        list(train_denoiser(photos, tmp_path, 16, 1, channels=8))


def test_the_command(pictures, tmp_path):
    words = ("denoiser", "train", "--pictures", pictures, "--size", 16, "--channels", 8, "--minutes", 0.005)
    assert "dB after purification from step 100" in run(*words, "--out", tmp_path / "a").output
    assert (
        "expected pictures in"
        in run("denoiser", "train", "--pictures", tmp_path / "b", "--out", tmp_path, code=2).output
    )
