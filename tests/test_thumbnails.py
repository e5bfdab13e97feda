import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.semantics.thumbnails import GAP, contact_sheet, distances


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@given(classes=st.integers(1, 4), each=st.integers(1, 4), seed=st.integers(0, 99))
def test_means_over_pairs(classes, each, seed):
    rng = np.random.default_rng(seed)
    pictures = rng.normal(size=(classes, 1, 8, 8)) + rng.normal(size=(classes, each, 8, 8))
    measured = distances(list(pictures))
    places = [(label, index) for label in range(classes) for index in range(each)]
    pairs = [(a, b) for a in places for b in places if a < b]
    for name, same in (("within", True), ("between", False)):
        expected = [1 - correlation(pictures[a], pictures[b]) for a, b in pairs if (a[0] == b[0]) == same]
        assert (measured[name] is None) == (not expected)
        if expected:
            assert abs(measured[name] - np.mean(expected)) < 1e-4


def test_extremes():
    shape = np.arange(64.0).reshape(8, 8)
    same = distances([np.stack([shape, shape])] * 2)
    assert same == {"within": 0.0, "between": 0.0, "nearest": 0.0}
    assert distances([shape[None], -shape[None]]) == {"within": None, "between": 2.0, "nearest": 2.0}
    assert distances([np.zeros((1, 8, 8)), shape[None]])["between"] == 1.0


def test_a_row_a_class():
    tiles = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 20, 20), dtype=np.uint8)
    sheet = np.asarray(contact_sheet([list(tiles[0]), list(tiles[1, :2])]))
    assert sheet.shape == (2 * 24 + GAP, 3 * 24 + GAP, 3)
    assert np.array_equal(sheet[GAP + 24 :][:20, GAP + 24 :][:, :20], tiles[1, 1].transpose(1, 2, 0))
    assert (sheet[GAP + 24 :, 2 * 24 + GAP :] == 255).all()
