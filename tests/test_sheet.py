import numpy as np

from unlearnable.semantics.thumbnails import GAP, contact_sheet


def test_a_row_a_class():
    tiles = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 20, 20), dtype=np.uint8)
    sheet = np.asarray(contact_sheet([list(tiles[0]), list(tiles[1, :2])]))
    assert sheet.shape == (2 * 24 + GAP, 3 * 24 + GAP, 3)
    assert np.array_equal(sheet[GAP + 24 :][:20, GAP + 24 :][:, :20], tiles[1, 1].transpose(1, 2, 0))
    assert (sheet[GAP + 24 :, 2 * 24 + GAP :] == 255).all()
