"""The way a picture goes: sizes, borders, codecs and order, and trainings at another size than the published one."""

import io
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from samples import picture
from sets import labelled, noisy, smooth
from unlearnable import load
from unlearnable.audit.large import check_large, memory_needed
from unlearnable.audit.run import audit_folder
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.route import Platform, Scrape, trained_at
from unlearnable.images.platforms import PLATFORMS, SCRAPERS, Preset, area_mean
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipes
from unlearnable.victims.architectures import victim_named

PRESETS = PLATFORMS | SCRAPERS
SERVED = [(name, pixels) for name, preset in PRESETS.items() for pixels in preset.sizes]
sides = st.integers(1, 6000)


def drawn(height: int, width: int) -> np.ndarray:
    return np.array(picture(0, width, height))


@given(st.sampled_from([one for one in SERVED if one[0] in PLATFORMS or one[0] == "datacomp"]), sides, sides)
def test_no_side_grows(served, height, width):
    name, pixels = served
    rows, columns = PRESETS[name].resized(height, width, pixels)
    assert 1 <= rows <= height and 1 <= columns <= width


@given(st.sampled_from(SERVED), sides, sides)
def test_the_limit_is_kept_and_reached(served, height, width):
    name, pixels = served
    preset = PRESETS[name]
    rows, columns = preset.resized(height, width, pixels)
    limited = {"width": columns, "longest": max(rows, columns), "area": (rows * columns) ** 0.5}[preset.rule]
    assert limited <= pixels * (1 + 0.5 / min(rows, columns))  # rounding of one side
    if (rows, columns) != (height, width) and preset.rule != "area":
        assert limited == pixels


@pytest.mark.parametrize(
    "name, pixels, before, after",
    [
        ("wordpress", 2560, (1500, 2000), (1500, 2000)),  # below 2560: kept as it is
        ("wordpress", 2048, (1500, 2000), (1500, 2000)),
        ("wordpress", 1536, (1500, 2000), (1152, 1536)),
        ("wordpress", 2560, (3000, 4000), (1920, 2560)),
        ("instagram", 1080, (1500, 2000), (810, 1080)),
        ("instagram", 1080, (2000, 1500), (1440, 1080)),
        ("x", 4096, (6000, 4000), (4096, 2731)),
        ("mastodon", 1280, (1500, 2000), (1109, 1478)),  # 2000 / sqrt(3,000,000) * 1280
        ("datacomp", 512, (1500, 2000), (384, 512)),
        ("datacomp", 512, (224, 224), (224, 224)),
        ("laion", 256, (1500, 2000), (256, 256)),
        ("laion", 256, (224, 224), (256, 256)),
    ],
)
def test_what_arrives(name, pixels, before, after):
    assert PRESETS[name].resized(*before, pixels) == after
    assert PRESETS[name].applied(drawn(*before), pixels).shape[:2] == after


@pytest.mark.parametrize("name", PRESETS)
def test_the_file_is_a_jpeg_with_halved_colour(name):
    content = PRESETS[name].file(drawn(60, 80), PRESETS[name].sizes[-1])
    with Image.open(io.BytesIO(content)) as written:
        sampling = [layer[1:3] for layer in written.layer]
        tables = written.quantization
    assert sampling == [(2, 2), (1, 1), (1, 1)]  # 4:2:0
    reference = io.BytesIO()
    Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=PRESETS[name].quality)
    with Image.open(reference) as plain:
        assert tables == plain.quantization


def test_the_border_is_white_and_the_picture_is_in_the_middle():
    black = np.zeros((100, 400, 3), np.uint8)
    arrived = PRESETS["laion"].applied(black, 256)
    assert (arrived[:88] >= 253).all() and (arrived[-88:] >= 253).all()  # 96 rows, but for the block at the edge
    assert (arrived[104:152] <= 2).all()


def test_small_pictures():
    """What each preset does with a picture that it does not reduce."""
    small = drawn(48, 48)
    for name, preset in PRESETS.items():
        arrived = preset.applied(small, preset.sizes[0])
        assert (arrived.shape[:2] == (256, 256)) == (preset.small == "enlarged") == (name == "laion")
        assert np.array_equal(arrived, small) == (preset.small == "kept") == (name in ("mastodon", "wordpress", "web"))


def test_the_quality_falls_until_the_file_fits():
    noise = noisy(1, 300, 300)[0].permute(1, 2, 0).numpy()
    free, tight = (Preset("longest", (300,), 100, "", max_bytes=limit).file(noise, 300) for limit in (10**9, 100_000))
    assert len(free) > 100_000 > len(tight)
    chosen = [quality for quality in range(100, 0, -10) if size_at(noise, quality) < 100_000]
    assert len(tight) == size_at(noise, chosen[0])


def size_at(pixels: np.ndarray, quality: int) -> int:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.tell()


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_area_means_are_opencvs(height, width, data):
    cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the extra semantics")
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    pixels = noisy(1, height, width, seed=height)[0].permute(1, 2, 0).contiguous().numpy()
    expected = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA).astype(int)
    assert abs(area_mean(pixels, rows, columns).astype(int) - expected).max() <= 1


def test_names_and_table_agree():
    assert list(PLATFORMS) == list(get_args(Platform.__dataclass_fields__["name"].type))
    assert list(SCRAPERS) == list(get_args(Scrape.__dataclass_fields__["name"].type))


def test_the_table_in_the_docs_is_the_presets():
    text = (Path(__file__).parents[1] / "docs" / "route.md").read_text()
    _, table = text.split("| preset | size |")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    assert dict(rows) == {name: " | ".join(cells(preset)) for name, preset in PRESETS.items()}
    assert len(rows) == len(PRESETS)


def cells(preset: Preset) -> tuple[str, ...]:
    """A line of the table in docs/route.md, but for the name."""
    sizes = ", ".join(f"{pixels:,}" for pixels in preset.sizes)
    rule = {"width": f"width {sizes}", "longest": f"longest side {sizes}", "area": f"area {sizes} x {sizes}"}[
        preset.rule
    ]
    quality = (
        f"{preset.quality}, less above {preset.max_bytes / 1e6:.0f} MB" if preset.max_bytes else f"{preset.quality}"
    )
    return (
        rule + (", white border" if preset.border else ""),
        quality,
        preset.reduce,
        preset.small,
        preset.source,
    )


def test_sizes_that_are_not_served():
    with pytest.raises(ValueError, match="expected pixels among 4096, 1200, 680, got 1000"):
        countermeasure_named("platform:name=x,pixels=1000")
    with pytest.raises(ValueError, match="instagram"):
        countermeasure_named("platform:name=myspace")


@pytest.mark.parametrize("pixels", [16, 24, 32])
def test_the_trainers_size_is_what_a_folder_is_read_at(pixels):
    data = smooth(4, 32)
    purified = countermeasure_named(f"size:pixels={pixels}").purify(data, Knowledge()).images
    for before, after in zip(data.images, purified, strict=True):
        expected = ImageOps.fit(Image.fromarray(before.permute(1, 2, 0).numpy()), (pixels, pixels))
        assert np.array_equal(after.permute(1, 2, 0).numpy(), np.array(expected))


def test_nothing_is_enlarged():
    data = smooth(2, 32)
    for spec in ("size:pixels=33", "platform+size:pixels=64"):
        with pytest.raises(ValueError, match="nothing is enlarged"):
            countermeasure_named(spec).check_serves(data)
    countermeasure_named("scrape+size:pixels=64").check_serves(data)  # the scraper enlarges


def test_the_order_of_a_way_is_kept():
    data = smooth(4, 48)
    ways = "scrape+size:pixels=16", "size:pixels=16+scrape"
    one, other = (countermeasure_named(way).purify(data, Knowledge()).images for way in ways)
    assert one.shape[-2:] == (16, 16) and other.shape[-2:] == (256, 256)
    by_hand = data
    for link in ways[0].split("+"):
        by_hand = countermeasure_named(link).purify(by_hand, Knowledge())
    assert torch.equal(one, by_hand.images)
    assert torch.equal(one, countermeasure_named(ways[0]).deploy(data.images))  # tested pictures come the same way


def test_clean_pictures_of_the_trainers_come_the_same_way():
    data, clean = smooth(8, 48), smooth(8, 48, seed=50)
    way, chain = (
        countermeasure_named("scrape+size:pixels=16"),
        countermeasure_named("scrape+size:pixels=16+mix:per_class=2"),
    )
    mixed = chain.purify(data, Knowledge(clean))
    assert torch.equal(mixed.images[8:], way.deploy(clean.images)) and mixed.images.shape == (16, 3, 16, 16)
    chain.check_serves(clean)


@pytest.mark.parametrize("purify", [True, False])
def test_the_victim_is_built_for_what_arrives(purify):
    data, test = labelled(noisy(8, 80, 80)), labelled(noisy(4, 80, 80, seed=1))
    chain = countermeasure_named("platform+size:pixels=16")
    train = data if purify else chain.purify(data, Knowledge())
    recipe = recipes.make("quick:epochs=1,long_epochs=3,batch_size=4")
    trained = fit(victim_named("vit:multiplier=0.1"), train, test, chain, recipe, purify=purify)
    assert len(trained.epochs) == 1  # 16 px is small; 80 px would be long
    assert trained.confusion.sum() == 4


def test_a_size_that_the_tests_do_not_follow(monkeypatch):
    chain = countermeasure_named("size:pixels=16")
    monkeypatch.setattr(type(chain), "deploy", lambda self, images: images)
    with pytest.raises(ValueError, match="expected test pictures as large as those trained on, 16 px, got 32 px"):
        fit(victim_named("resnet9:width=2"), smooth(8), smooth(8), chain, recipes.make("quick:epochs=1"))


@pytest.mark.parametrize(
    "spec, full",
    [
        ("vanilla", "size:pixels=64"),
        ("gray", "size:pixels=64+gray"),
        ("platform+scrape", "platform+scrape+size:pixels=64"),
        ("platform+gray+cutout", "platform+size:pixels=64+gray+cutout"),
        ("jpeg+size:pixels=32", "jpeg+size:pixels=32"),
    ],
)
def test_the_trainers_size_comes_after_the_web(spec, full):
    assert trained_at(spec, 64) == full


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    for name, seed in {"train": 0, "test": 100}.items():
        smooth(16, 80, seed).save(folder / name)
    smooth(16, 80, 0).save(folder / "protected")
    return folder


def audited(folders, out, **options):
    tiny = {"victim": "resnet9:width=2", "recipe": "quick:epochs=1", "countermeasures": "vanilla,platform+scrape"}
    return audit_folder(folders / "protected", folders / "train", folders / "test", out, **tiny | options)


def test_an_audit_of_large_pictures(folders, tmp_path):
    outcome = audited(folders, tmp_path / "out", size=16, published_size=80)
    assert (outcome.size, outcome.trained, outcome.missing) == (80, 16, {})
    assert [row.countermeasure for row in outcome.rows] == ["vanilla", "platform+scrape"]
    cells = [row.clean[0].cell for row in outcome.rows]
    assert [(cell.size, cell.countermeasure) for cell in cells] == [
        (80, "size:pixels=16"),
        (80, "platform+scrape+size:pixels=16"),
    ]
    assert "80 × 80 px, reduced to 16 × 16 px for training" in (tmp_path / "out" / "audit.html").read_text()


@pytest.mark.parametrize(
    "size, published, countermeasures, message",
    [
        (16, 100, "vanilla", "expected pictures of at least 100 px, as nothing is enlarged, got 80 px"),
        (64, 32, "vanilla", "expected --published-size of at least --size, 64 px, got 32 px"),
        (16, 80, "size:pixels=100", "nothing is enlarged"),
    ],
)
def test_large_pictures_that_are_refused(folders, tmp_path, size, published, countermeasures, message):
    with pytest.raises(ValueError, match=message):
        audited(folders, tmp_path / "out", size=size, published_size=published, countermeasures=countermeasures)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_picture_is_named(folders, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "film.avif").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"film\.avif: not a JPEG, .*; take it out of every set"):
        check_large([folders / "train", tmp_path], 80, 16, ["vanilla"])


def test_more_pictures_than_memory(folders, monkeypatch):
    needed = memory_needed([folders / "train", folders / "test"], 80)
    assert needed == 2 * 32 * 3 * 80 * 80
    import psutil

    for free, fits in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda free=free: type("Memory", (), {"available": free}))
        if fits:
            check_large([folders / "train", folders / "test"], 80, 16, ["vanilla"])
        else:
            with pytest.raises(ValueError, match="GB of free memory for pictures of 80 px"):
                check_large([folders / "train", folders / "test"], 80, 16, ["vanilla"])


def test_data_sets_by_name_have_no_folder(folders):
    assert memory_needed([Path("toy:count=4")], 80) == 0
    assert load("toy:count=4").images.shape[-1] == 16
