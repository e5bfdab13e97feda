import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sets import labelled, noisy
from unlearnable.protections import protection_named
from unlearnable.protections.lsp import points, vertices
from unlearnable.protections.patterns import normals


class Recording(np.random.RandomState):
    """Keeps what scikit-learn draws from it."""

    def __init__(self, seed):
        super().__init__(seed)
        self.drawn = {"standard_normal": [], "uniform": []}

    def standard_normal(self, size=None):
        return self._keep("standard_normal", size=size)

    def uniform(self, low=0.0, high=1.0, size=None):
        return self._keep("uniform", low=low, high=high, size=size)

    def _keep(self, kind, **arguments):
        self.drawn[kind].append(getattr(np.random.RandomState, kind)(self, **arguments))
        return self.drawn[kind][-1].copy()


def patterns(spec, classes=3, seed=0, count=12, height=32, width=32):
    labels = torch.arange(count) % classes
    images = torch.full((count, 3, height, width), 128, dtype=torch.uint8)
    return protection_named(spec).perturber(classes, seed)(images, labels, torch.arange(count)), labels


@pytest.mark.parametrize("features, classes", [(12, 4), (48, 10)])
def test_points_are_those_of_scikit_learn(features, classes):
    rng = Recording(7)
    expected, labels = make_classification(
        30 * classes,
        features,
        n_informative=features,
        n_redundant=0,
        n_classes=classes,
        n_clusters_per_class=1,
        flip_y=0,
        class_sep=10,
        shuffle=False,
        random_state=rng,
    )
    (drawn,) = rng.drawn["standard_normal"]
    matrices = [2 * uniform - 1 for uniform in rng.drawn["uniform"] if uniform.shape == (features, features)]
    assert len(matrices) == classes
    for label, matrix in enumerate(matrices):
        own = labels == label
        centre = np.rint(expected[own][0] - drawn[own][0] @ matrix)  # which it draws without showing
        assert set(np.abs(centre)) == {10}
        np.testing.assert_allclose(points(drawn[own], matrix, centre), expected[own], atol=1e-9)


def test_a_pattern_is_a_point_in_blocks():
    changes, _ = patterns("lsp")
    blocks = changes[:, :, ::8, ::8]
    assert torch.equal(changes, blocks.repeat_interleave(8, 2).repeat_interleave(8, 3))
    assert blocks.flatten(1).unique(dim=0).shape == (12, 48)
    torch.testing.assert_close(changes.square().mean((1, 2, 3)).sqrt(), torch.full((12,), 6.0))


def test_classes_are_clusters_of_one_vertex_and_one_matrix():
    changes, labels = patterns("lsp:patch=16", classes=2, count=4000)
    point = changes[:, :, ::16, ::16].permute(0, 2, 3, 1).flatten(1).double()
    for label in range(2):
        own = point[labels == label]
        # scaled to one norm: of the centre (10 in each of 12 features) and of the matrix (variance 1/3, 12 of them)
        share = own.mean(0).square().mean() / own.square().mean()
        assert 0.85 < share < 0.99  # 100 / 104 less what the scaling distorts
        directions = torch.linalg.svdvals(own - own.mean(0))
        assert directions[0] > 3 * directions[-2]  # a random matrix's, far from a ball's
    assert not torch.equal(point[labels == 0].mean(0).sign(), point[labels == 1].mean(0).sign())


def test_a_linear_classifier_tells_the_classes_apart():
    changes, labels = patterns("lsp", classes=10, count=600)
    point = changes[:, :, ::8, ::8].flatten(1).numpy()
    linear = LinearDiscriminantAnalysis().fit(point[:400], labels[:400].numpy())
    assert linear.score(point[400:], labels[400:].numpy()) > 0.98


@settings(max_examples=25)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 20))
def test_any_size(height, width, patch):
    changes, _ = patterns(f"lsp:patch={patch}", classes=2, count=2, height=height, width=width)
    torch.testing.assert_close(changes.square().mean((1, 2, 3)).sqrt(), torch.full((2,), 6.0), rtol=1e-5, atol=0)
    side = max(patch, -(-max(height, width) // 28))
    rows, columns = (torch.arange(length) // side * side for length in (height, width))
    assert torch.equal(changes, changes[:, :, rows][..., columns])


def test_large_pictures_have_larger_blocks():
    changes, _ = patterns("lsp", classes=1, count=1, height=512, width=384)
    assert changes[0, 0, ::19, ::19].unique().numel() == 27 * 21
    assert torch.equal(changes[..., 19:38, :19], changes[..., 19:20, :1].expand(1, 3, 19, 19))


def test_the_strength_is_the_budget_s():
    for budget, rms in (("rms:8", 8.0), ("rms:1", 1.0), ("linf:8", 8.0), ("l0:8", 6.0)):
        changes, _ = patterns(f"lsp:budget={budget}")
        torch.testing.assert_close(changes.square().mean((1, 2, 3)).sqrt(), torch.full((12,), rms))
    grey = labelled((noisy(8, 32, 32) // 2 + 64).to(torch.uint8))  # no clipping at black or white
    rms = (protection_named("lsp")(grey).images.float() - grey.images).square().mean((1, 2, 3)).sqrt()
    assert (rms <= 6).all() and (rms > 5.9).all()


def test_classes_that_come_later_change_nothing():
    few, _ = patterns("lsp", classes=3)
    rows = torch.arange(12) % 3
    images = torch.full((12, 3, 32, 32), 128, dtype=torch.uint8)
    assert torch.equal(few, protection_named("lsp").perturber(50, 0)(images, rows, torch.arange(12)))


def test_small_pictures_have_smaller_blocks_where_there_are_more_classes_than_vertices():
    assert len(np.unique(vertices(np.random.default_rng(0), 8, 3), axis=0)) == 8
    for classes, patch in ((8, 8), (9, 7), (64, 7), (4097, 3)):
        few, same = (patterns(spec, classes=classes, height=8, width=8)[0] for spec in ("lsp", f"lsp:patch={patch}"))
        assert torch.equal(few, same)
    with pytest.raises(ValueError, match=r"at most 8 classes.* got 9; use larger pictures"):
        patterns("lsp", classes=9, height=1, width=1)


def test_normal_values_of_numbers():
    numbers = np.array([3, 0, 2**32 - 1, 2**62, -5])
    values = normals(np.random.default_rng(1), numbers, 7)
    assert values.shape == (5, 7) and len(np.unique(values)) == 35
    np.testing.assert_array_equal(normals(np.random.default_rng(1), numbers[2:3], 7)[0], values[2])
    assert not np.isin(normals(np.random.default_rng(2), numbers, 7), values).any()


def test_normal_values_are_normal_and_independent():
    values = normals(np.random.default_rng(3), np.arange(400), 500)
    assert kstest(values.ravel(), "norm").pvalue > 0.01
    assert kstest(values[0], "norm").pvalue > 0.001 and kstest(values[:, 0], "norm").pvalue > 0.001
    among_numbers = np.corrcoef(values) - np.eye(400)
    among_places = np.corrcoef(values.T) - np.eye(500)
    assert np.abs(among_numbers).max() < 6 / np.sqrt(500) and np.abs(among_places).max() < 6 / np.sqrt(400)
