import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sets import labelled, noisy
from unlearnable.images.budget import Budget
from unlearnable.protections import ar as autoregression
from unlearnable.protections import protection_named
from unlearnable.protections.ar import STARTS, NoProcessError, processes, required, response, scan


@pytest.fixture(scope="module")
def hundred():
    return processes(100, 0)


@pytest.fixture(scope="module")
def ten(hundred):
    return hundred[:10]


def changes(spec="ar", classes=2, seed=0, count=6, height=32, width=32):
    images = torch.full((count, 3, height, width), 128, dtype=torch.uint8)
    return protection_named(spec).perturber(classes, seed)(images, torch.arange(count) % classes, torch.arange(count))


def pixel_by_pixel(windows, canvas):
    """Algorithm 1, one colour, as it is written."""
    canvas = canvas.copy()
    height, width = canvas.shape
    for row in range(2, height):
        for column in range(2, width):
            total = 0.0
            for up in range(3):
                for left in range(3):
                    if up or left:
                        total += windows[2 - up, 2 - left] * canvas[row - up, column - left]
            canvas[row, column] = total
    return canvas[4:, 4:]


def responses(windows, pictures):
    """Each process's filter on each picture."""
    filters = torch.from_numpy(windows).float().clone()
    filters[..., 2, 2] = -1
    return F.conv2d(pictures, filters).relu().sum((2, 3))


def test_one_product_is_the_pixel_loop(ten, monkeypatch):
    drawn = []

    def recording(rng, numbers, count):
        drawn.append(rng.standard_normal((len(numbers), count)))
        return drawn[-1]

    monkeypatch.setattr("unlearnable.protections.ar.normals", recording)
    made = changes(classes=10, count=10)
    for label in range(10):
        starts = drawn[label].reshape(3, STARTS)
        canvases = np.random.default_rng(0).standard_normal((3, 36, 36))  # all but the border is generated anew
        rows, columns = np.indices((36, 36))
        canvases[:, (rows < 2) | (columns < 2)] = starts
        expected = np.stack([pixel_by_pixel(*pair) for pair in zip(ten[label], canvases, strict=True)])
        expected /= np.linalg.norm(expected)  # the authors' L2 norm of 1, in pictures in [0, 1]
        np.testing.assert_allclose(made[label] / 255, expected, atol=1e-7)


def test_the_response_to_the_start_is_linear(ten):
    matrices = response(ten[3])
    starts = np.random.default_rng(1).standard_normal((5, STARTS))
    rows, columns = np.indices((36, 36))
    for colour, window in enumerate(ten[3]):
        canvases = np.zeros((36, 36, 5))
        canvases[(rows < 2) | (columns < 2)] = starts.T
        scanned = scan(np.repeat(window[..., None], 5, 2), canvases)[4:, 4:].reshape(1024, 5).T
        np.testing.assert_allclose(starts @ matrices[colour], scanned, atol=1e-10)


def test_the_native_budget_is_the_authors():
    radius = Budget.parse(protection_named("ar").budget).radius
    for side, norm in ((32, 1.0), (96, 3.0)):
        assert radius == pytest.approx(255 * norm / np.sqrt(3 * side**2), rel=1e-7)
        norms = changes(height=side, width=side).flatten(1).norm(dim=1)
        assert norms / 255 == pytest.approx(norm, rel=1e-5)


@given(st.integers(1, 80), st.integers(1, 80))
@settings(max_examples=20)
def test_any_size_is_tiles(height, width):
    made = changes(height=height, width=width)
    torch.testing.assert_close(made.square().mean((1, 2, 3)).sqrt(), torch.full((6,), 4.60076))
    windows = processes(2, 0)
    for label in range(2):
        for top in range(0, height - 2, 32):
            for left in range(0, width - 2, 32):
                tile = made[label::2, :, top : min(top + 32, height), left : min(left + 32, width)]
                if min(tile.shape[2:]) > 2:
                    silent = responses(windows[label : label + 1], tile)
                    assert silent.max() < 1e-4 * tile.abs().sum()


def test_tiles_and_pictures_are_not_alike():
    made = changes(classes=1, count=4, height=64, width=64)
    tiles = made.unfold(2, 32, 32).unfold(3, 32, 32).permute(0, 2, 3, 1, 4, 5).reshape(16, -1)
    assert (torch.corrcoef(tiles) - torch.eye(16)).abs().max() < 0.9
    quarters = tiles.reshape(4, 4, -1).norm(dim=2)
    assert quarters.max() < 10 * quarters.min()  # as strong everywhere


def test_processes_grow_beyond_the_tile(ten):
    canvases = np.random.default_rng(1).standard_normal((226, 226, 30))
    with np.errstate(over="ignore"):
        grown = np.abs(scan(ten.transpose(2, 3, 0, 1).reshape(3, 3, 30), canvases)).max((0, 1)).reshape(10, 3).max(1)
    assert (grown > 1000).sum() == 7  # the reason for tiles, as documented


def test_a_hundred_processes_are_finite_and_told_apart(hundred):
    assert (hundred[..., 2, 2] == 0).all()
    np.testing.assert_allclose(hundred.sum((2, 3)), 1, atol=1e-9)
    energies = np.array([np.square(response(windows)).sum((1, 2)) for windows in hundred])
    assert energies.max() < 300**2  # what white noise of variance 1 generates; most windows diverge
    made = changes(classes=100, count=200)
    answers = responses(hundred, made / 255)
    own = torch.arange(200) % 100
    assert answers[torch.arange(200), own].max() < 1e-3
    others = answers.clone()
    others[torch.arange(200), own] = torch.inf
    assert others.min() > 0.3  # of a fresh start; the search asks 3 of one


def test_sets_are_reproducible_and_grow(ten):
    np.testing.assert_array_equal(processes(3, 0), ten[:3])
    assert not np.array_equal(processes(3, 1), ten[:3])


def test_every_accepted_process_met_the_demand(ten, monkeypatch):
    """The search's own tiles, drawn again from its generator."""
    tiles = {windows.tobytes(): canvas[:, 4:, 4:] for windows, canvas in _taken(ten)}
    assert len(tiles) == 10
    for place, windows in enumerate(ten[1:], 1):
        tile = torch.from_numpy(tiles[windows.tobytes()]).float()
        assert responses(ten[:place], (tile / tile.norm())[None]).min() >= 9.999


def _taken(windows):
    wanted = {window.tobytes() for window in windows}
    for candidate in autoregression._stable(0):
        if candidate[0].tobytes() in wanted:
            yield candidate
            wanted.discard(candidate[0].tobytes())
        if not wanted:
            return


def test_what_is_required():
    assert [required(place) for place in (1, 10)] == [10, 10]
    assert required(100) == pytest.approx(3)
    demands = [required(place) for place in range(1, 300)]
    assert demands == sorted(demands, reverse=True) and demands[-1] > 1


def test_a_search_that_ends_says_so(monkeypatch):
    monkeypatch.setattr(autoregression, "TRIED", 1)
    with pytest.raises(NoProcessError, match=r"for 100 classes, found \d+ .* fewer classes or another seed"):
        protection_named("ar").perturber(100, 5)


def test_what_diverges_is_never_accepted(monkeypatch):
    """Most windows diverge; the search must see all of them finite and quiet."""
    candidates = [candidate for candidate, _ in zip(autoregression._stable(3), range(200), strict=False)]
    assert all(np.isfinite(canvas).all() for _, canvas in candidates)
    assert max(np.linalg.norm(canvas, axis=(1, 2)).max() for _, canvas in candidates) <= 50


def test_published_pictures_use_the_budget():
    grey = labelled((noisy(8, 32, 32) // 2 + 64).to(torch.uint8))  # no clipping at black or white
    rms = (protection_named("ar")(grey).images.float() - grey.images).square().mean((1, 2, 3)).sqrt()
    assert (rms <= 4.60076).all() and (rms > 4.5).all()
