"""What a key decides stays what it is: the same on every machine, and in the years between protecting and revealing.

The figures and pictures (``golden/``) were made by revision 5e73cca, the drawings of version 5 by 0.4.0. Whole numbers
and secrets' numbers are compared exactly. Rendered and protected pictures may differ by one grey level, as sines, sums
and FreeType's outlines may round otherwise on another processor; a network in bf16 rounds otherwise than in fp32, so
fp32 it is here.

No library promises that its next release draws the same: numpy's promise covers the bits of PCG64 but no method of
`Generator`, and torch, Pillow and FreeType promise nothing. Where one of these tests fails after an update, published
pictures would be revealed with other secrets: raise `semantics.secrets.DRAWING`, or hold the library back.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from samples import opened
from unlearnable import Key, protect_folder, reveal_folder, verify_folder
from unlearnable.folder.manifest import Report, read_manifest, variation_of
from unlearnable.folder.method import RefusedError
from unlearnable.semantics.bank import Bank, BankClass, BankPicture, encoded
from unlearnable.semantics.render import FIRST, STYLES, Scene, scene
from unlearnable.semantics.secrets import BankSecrets, RenderedSecrets
from unlearnable.semantics.silhouettes import Silhouette
from unlearnable.semantics.textures import texture
from unlearnable.storage.provenance import __version__

GOLDEN = Path(__file__).parent / "golden"
KEY = Key(bytes(range(32)))
BANK = [  # class and picture of the bank that serve five labels in three variations
    [(1, 4), (1, 2), (1, 1)],
    [(2, 4), (2, 3), (2, 0)],
    [(4, 4), (4, 6), (4, 6)],
    [(3, 3), (3, 4), (3, 4)],
    [(0, 2), (0, 6), (0, 0)],
]


def levels(file):
    return np.asarray(opened(file)).astype(int)


@pytest.fixture
def fp32(monkeypatch):
    """The network computes in fp32, whatever the processor."""
    monkeypatch.setattr("unlearnable.hiding.inference.fastest_dtype", lambda device: torch.float32)


@pytest.fixture
def job(tmp_path, fp32):
    """Protect the golden photos with the golden key and options."""
    shutil.copytree(GOLDEN / "photos", tmp_path / "photos")
    (tmp_path / "key").write_bytes(KEY.secret)

    def run():
        places = {"src": tmp_path / "photos", "dst": tmp_path / "protected", "key": tmp_path / "key"}
        of_then = {"weights": "first", "strength": "full", "visibility": 0}  # nobody measured it
        return protect_folder(**places, **of_then, working_size=48, device="cpu")

    return run


def test_what_a_key_digests():
    assert KEY.fingerprint == "a20dbd4399036974"
    assert KEY.seed("protection") == 460221503157 and KEY.seed("a", 1) == 180574849942
    assert variation_of("cat/a.png", "sample") == 3065575791 and variation_of("cat/a.png", "class") == 0


def test_what_numpy_draws():
    rng = KEY.rng("golden")
    bits = [9072012379125226084, 2127057266386350182, 3594636187052505428]
    assert rng.bit_generator.random_raw(3).tolist() == bits
    assert rng.random(2).tolist() == [0.20787369521366328, 0.897979286335833]
    assert rng.uniform(-0.5, 0.5, 2).tolist() == [0.37805261085528574, -0.26764381864257303]
    assert rng.integers(2**31, size=3).tolist() == [1052014219, 1794397523, 748585394]
    assert [int(rng.integers(50)) for _ in range(4)] == [48, 28, 13, 14]
    assert rng.permutation(8).tolist() == [4, 1, 2, 6, 5, 0, 3, 7]
    assert [int(rng.choice((-1, 1))) for _ in range(6)] == [1, -1, 1, -1, 1, 1]
    np.testing.assert_allclose(rng.normal(0, 1, 3), [0.4861489534, -0.4810429215, -1.141310215], atol=1e-6)


def test_what_torch_draws():
    torch.manual_seed(KEY.seed("protection"))
    assert torch.rand(3).tolist() == [0.37584710121154785, 0.030748188495635986, 0.43719083070755005]
    few, many = [-1.63067269, 1.18287039, 0.89679855], [-2.40358877, -1.10216677, 0.94697058]
    np.testing.assert_allclose(torch.randn(3), few, atol=1e-5)
    np.testing.assert_allclose(torch.randn(20)[-3:], many, atol=1e-5)
    assert torch.randint(256, (4,)).tolist() == [122, 87, 166, 55]
    assert torch.randperm(8).tolist() == [4, 2, 0, 5, 3, 1, 7, 6]


def test_scenes_of_drawings():
    bishop = Silhouette("♝", 0.4293890450010214, 0.5271238312008443, 0.6962444711000944, -14.188762820201234)
    face = Silhouette("☻", 0.5168010482270631, 0.5034936332940906, 0.6708963809254245, -7.715908561569318)
    single = Scene(bishop, (10,), 6, (0.05, 0.06, -0.45), 1)
    double = Scene(face, (6, 7), 5, (-0.05, -0.06, 0.45), -1)
    assert scene(KEY, 0) == single and scene(KEY, 999) == double


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("secrets*/*")), ids=lambda file: f"{file.parent.name} {file.stem}")
def test_drawings(file):
    style = STYLES[int(file.parent.name.partition("_")[2] or FIRST.version)]
    number, variation, size = file.stem.split("_")
    height, width = map(int, size.split("x"))
    drawn = RenderedSecrets(KEY, style).draw(int(number), int(variation), height, width)
    assert np.abs(drawn.transpose(1, 2, 0) - levels(file)).max() <= 1


def test_pictures_of_a_bank(tmp_path):
    def picture_of(label, index):
        name, content = f"{label}_{index}.png", encoded(np.full((3, 4, 4), 40 * label + index, np.uint8))
        (tmp_path / name).write_bytes(content)
        return BankPicture(name, 0, hashlib.sha256(content).hexdigest())

    classes = tuple(BankClass(str(c), pictures=tuple(picture_of(c, index) for index in range(7))) for c in range(5))
    secrets = BankSecrets(KEY, Bank(tmp_path, "photo", {}, classes, complete=True))
    drawn = [[divmod(int(secrets.draw(c, i, 4, 4).max()), 40) for i in (0, 1, 2**32 - 1)] for c in range(5)]
    assert drawn == BANK


def test_textures_of_stamps():
    digests = [hashlib.sha256(texture(KEY, number).astype(np.int8).tobytes()).hexdigest()[:16] for number in (0, 11)]
    assert digests == ["cce926aa9290b367", "ec94032d217306f0"]


def test_a_protected_folder(job, tmp_path):
    report, expected = job(), Report.load(GOLDEN / "protected")
    assert report.secret_numbers == [0, 1, 6]
    assert (report.key, report.weights, report.options) == (expected.key, expected.weights, expected.options)
    entries, golden = (read_manifest(folder) for folder in (tmp_path / "protected", GOLDEN / "protected"))
    assert entries.keys() == golden.keys() and len(golden) == 3
    decided = ("output", "sha256_input", "class_index", "secret_number", "variation", "working_height", "working_width")
    for name, entry in entries.items():
        assert {of: getattr(entry, of) for of in decided} == {of: getattr(golden[name], of) for of in decided}
        file = str(entry.output)
        assert np.abs(levels(tmp_path / "protected" / file) - levels(GOLDEN / "protected" / file)).max() <= 1


def test_a_folder_of_then_is_verified_resumed_and_revealed(job, tmp_path):
    dst = shutil.copytree(GOLDEN / "protected", tmp_path / "protected")
    assert verify_folder(dst, tmp_path / "photos").ok
    stored = json.loads((dst / "report.json").read_text())
    stored["source"] = hashlib.sha256(str((tmp_path / "photos").resolve()).encode()).hexdigest()  # it has moved
    (dst / "report.json").write_text(json.dumps(stored))
    times = {path: path.stat().st_ctime_ns for path in dst.rglob("*.png")}
    earlier, again = Report(**stored), job()
    assert len(times) == 3 and replace(again, summary=earlier.summary) == replace(earlier, version=__version__)
    assert earlier.agrees(again)
    assert times == {path: path.stat().st_ctime_ns for path in dst.rglob("*.png")}
    with pytest.raises(RefusedError, match=r"other weights.*or --weights first to resume that run"):
        protect_folder(tmp_path / "photos", dst, key=tmp_path / "key", working_size=48)
    score = reveal_folder(dst, tmp_path / "revealed", key=tmp_path / "key", device="cpu").key_score
    assert score is not None and score.beaten == 1000
