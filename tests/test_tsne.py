import numpy as np
import pytest
import torch

from panels import panels
from unlearnable.figures import figure_named
from unlearnable.figures.tsne import embed, model_features
from unlearnable.victims.features import penultimate


def blobs(apart: float, count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Three classes around points so far apart, in 60 dimensions."""
    rng, labels = np.random.default_rng(0), np.arange(count) % 3
    return (apart * np.eye(3, 60)[labels] + rng.normal(size=(count, 60))).astype(np.float32), labels


def test_separation_in_closed_form():
    features = np.array([[0, 0], [1, 0], [10, 0], [11, 0]], np.float32)
    cloud = embed(features, np.array([0, 0, 1, 1]), 2.0, 0)
    assert cloud.points.shape == (4, 2)
    assert cloud.neighbour == 1
    assert cloud.silhouette == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert embed(features, np.array([0, 1, 0, 1]), 2.0, 0).neighbour == 0


def test_separation_is_told_from_its_absence():
    apart, mixed = (embed(*blobs(distance), 5.0, 0) for distance in (30, 0))
    assert apart.neighbour == 1 and apart.silhouette > 0.5
    assert mixed.neighbour < 0.7 and abs(mixed.silhouette) < 0.1
    centres = np.stack([apart.points[np.arange(30) % 3 == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(apart.points[:, None] - centres, axis=2).argmin(1)
    assert (nearest == np.arange(30) % 3).all()


def test_the_seed_decides():
    assert np.array_equal(*(embed(*blobs(0), 5.0, 0).points for _ in range(2)))
    figures = (figure_named(f"tsne:points=20,perplexity=5,features=pixels,seed={seed}") for seed in (0, 0, 1))
    first, again, other = (figure(panels(trained=False)[:1]) for figure in figures)
    assert first == again and first.numbers != other.numbers


def test_nothing_to_embed():
    with pytest.raises(ValueError, match="the same of every picture"):
        embed(np.ones((9, 4), np.float32), np.arange(9) % 3, 2.0, 0)


def test_features_are_what_the_last_layer_sees():
    model, images = panels()[0].model, torch.rand(300, 3, 8, 8)
    model.train()
    found = model_features(model, images)
    with torch.no_grad():
        torch.testing.assert_close(found, penultimate(model.eval(), images))


def test_perturbations_that_are_alike_in_a_class_separate():
    clean, protected = figure_named("tsne:points=40,perplexity=5,features=pixels")(panels(trained=False)).numbers
    assert clean["cloud"] == "clean pictures"
    assert protected == {"cloud": "perturbations of stripes:levels=8", "neighbour": 1.0, "silhouette": 1.0}
    assert clean["silhouette"] < 0.9


def test_a_part_of_the_classes_and_of_the_pictures():
    figure = figure_named("tsne:points=8,classes=2,perplexity=3,features=pixels")
    assert figure(panels(trained=False)[:1]).numbers[0]["neighbour"] in {step / 8 for step in range(9)}


def test_a_perplexity_needs_more_points():
    with pytest.raises(ValueError, match=r"more points than the perplexity of 30\.0, got points=30"):
        figure_named("tsne:points=30")
