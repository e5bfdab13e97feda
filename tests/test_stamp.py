import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unlearnable import protect_folder
from unlearnable.datasets import load
from unlearnable.folder.protect import RefusedError
from unlearnable.hiding.stamp import LARGEST, SIDE, SMALLEST, smoothest, stamped
from unlearnable.images.budget import Budget
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.semantics.textures import texture

KEY = Key(bytes(32))


def textures(labels):
    return torch.from_numpy(np.stack([texture(KEY, label) for label in labels]))


def noisy(count, height, width):
    """Pictures that are smooth nowhere, and changes to them."""
    generator = torch.Generator().manual_seed(0)
    covers = torch.randint(0, 256, (count, 3, height, width), generator=generator).to(torch.uint8)
    return torch.randn(count, 3, height, width, generator=generator) * 6, covers


def test_lies_where_the_picture_is_smoothest():
    changes, covers = noisy(2, 32, 32)
    covers[0, :, 6:18, 12:24] = 120
    covers[1, :, 14:26, 5:17] = 90
    top, left = smoothest(covers, 12, 4)
    assert (top.tolist(), left.tolist()) == ([6, 14], [12, 5])
    stamp = stamped(changes, covers, textures([3, 4]), 0.999_999, 8.0)
    for index, (y, x) in enumerate(zip(top, left, strict=True)):
        inside = stamp[index, :, y : y + 12, x : x + 12]
        assert torch.allclose(inside, textures([3 + index])[0].float() * 8 * 32 / 12, atol=0.1)
        assert inside.square().sum() / stamp[index].square().sum() > 0.999


def test_not_near_black_or_white_or_the_border():
    _, covers = noisy(1, 32, 32)
    covers[..., 10:22, 10:22] = 255
    covers[..., :12, :12] = 100
    top, left = smoothest(covers, 12, 4)
    assert min(top.item(), left.item()) >= 4
    assert not (top.item() == 10 and left.item() == 10)


@given(
    share=st.floats(0.01, 0.95),
    height=st.integers(SMALLEST, 90),
    width=st.integers(SMALLEST, LARGEST),
    radius=st.floats(1, 20),
)
def test_spends_the_budget_and_the_share(share, height, width, radius):
    changes, covers = noisy(2, height, width)
    whole = stamped(changes, covers, textures([1, 12]), share, radius)
    rms = changes.square().mean((1, 2, 3), keepdim=True).sqrt()
    stamp = whole - radius * math.sqrt(1 - share) * changes / rms
    spent = torch.full((2,), share * radius**2)
    torch.testing.assert_close(stamp.square().mean((1, 2, 3)), spent, rtol=0.05, atol=0)
    side = round(SIDE * min(height, width))
    assert (stamp.abs() > 1e-3).flatten(1).sum(1).tolist() == [3 * side**2] * 2


@pytest.mark.parametrize("side", [SMALLEST - 1, LARGEST + 1])
def test_none_on_pictures_of_other_sizes(side):
    changes, covers = noisy(1, side, side)
    assert torch.equal(stamped(changes, covers, textures([0]), 0.5, 8.0), changes)


def test_nothing_hidden_leaves_the_stamp_alone():
    _, covers = noisy(1, 32, 32)
    change = stamped(torch.zeros(1, 3, 32, 32), covers, textures([0]), 0.5, 8.0)
    assert change.isfinite().all() and (change != 0).sum() == 3 * 12**2


@pytest.mark.parametrize(("budget", "stamp"), [("rms:8", 0.5), ("rms:8", 0.0), ("linf:8", 0.5)])
def test_only_where_the_budget_is_one_of_energy(budget, stamp):
    data = load("toy:size=32,count=8")
    published = protection_named(f"deep_hiding:budget={budget},stamp={stamp}")(data, seed=0)
    plain = protection_named(f"deep_hiding:budget={budget},stamp=0")(data, seed=0)
    differs = not torch.equal(published.images, plain.images)
    assert differs == (budget == "rms:8" and stamp > 0)
    kept = Budget.parse(budget)
    pairs = zip(data.images.permute(0, 2, 3, 1).numpy(), published.images.permute(0, 2, 3, 1).numpy(), strict=True)
    assert all(kept.holds(before, after) for before, after in pairs)


def test_a_folder_is_stamped(tmp_path, weights):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        picture = rng.integers(60, 190, (32, 40, 3), dtype=np.uint8)
        picture[10:22, 14:26] = 128
        Image.fromarray(picture).save(tmp_path / "photos" / name / "a.png")
    job = partial(protect_folder, tmp_path / "photos", tmp_path / "out", key=tmp_path / "key", weights=weights)
    assert job(method="deep_hiding:stamp=0.9").options["stamp"] == 0.9
    for name in ("cat", "dog"):
        before, after = (np.asarray(Image.open(tmp_path / of / name / "a.png"), int) for of in ("photos", "out"))
        energy = np.square(after - before)
        assert energy[10:22, 14:26].sum() > 0.8 * energy.sum() > 0
    with pytest.raises(RefusedError, match=r"other stamp: 0\.0 instead of 0\.9"):
        job()


def test_none_where_a_reduced_picture_is_small(tmp_path, weights):
    tall = np.random.default_rng(0).integers(60, 190, (100, 60, 3), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(tall).save(tmp_path / "photos" / "a.png")
    for stamp in (0.0, 0.9):
        job = partial(protect_folder, tmp_path / "photos", key=tmp_path / "key", weights=weights)
        job(tmp_path / f"{stamp}", method=f"deep_hiding:stamp={stamp}", working_size=64)
    assert (tmp_path / "0.9" / "a.png").read_bytes() == (tmp_path / "0.0" / "a.png").read_bytes()
