import numpy as np

from unlearnable.semantics.diffusion import canny


def test_edges_of_a_square():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:30, 10:30] = 255
    edges = canny(picture)
    assert edges.shape == (40, 40)
    assert set(np.unique(edges)) == {0, 255}
    ys, xs = np.nonzero(edges)
    border = np.minimum.reduce([abs(ys - 9.5), abs(ys - 29.5), abs(xs - 9.5), abs(xs - 29.5)])
    assert border.max() <= 1
    assert not canny(np.full((20, 20, 3), 99, np.uint8)).any()
    assert not canny(picture // 8).any()  # fainter than the thresholds
