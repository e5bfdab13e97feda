from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from panels import panels
from unlearnable.figures.base import correlation, in_turn
from unlearnable.figures.layout import Tile, draw_grid, wrapped
from unlearnable.images.quality import absolute, magnified


def test_pictures_of_different_classes_come_first():
    labels = torch.tensor([2, 2, 0, 2, 0, 1])
    assert in_turn(labels, 4).tolist() == [2, 5, 0, 4]
    assert in_turn(labels, 99).tolist() == [2, 5, 0, 4, 1, 3]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 50))
def test_classes_are_served_equally(labels, count):
    chosen = in_turn(torch.tensor(labels), count).tolist()
    assert len(set(chosen)) == len(chosen) == min(count, len(labels))
    served = {label: sum(labels[place] == label for place in chosen) for label in set(labels)}
    most = max(served.values())
    assert all(number >= most - 1 or number == labels.count(label) for label, number in served.items())


def test_changes_made_visible():
    before = np.array([100, 100, 100, 0, 255], np.uint8)
    after = np.array([104, 98, 100, 0, 155], np.uint8)
    assert magnified(before, after).tolist() == [160, 112, 128, 128, 0]
    assert absolute(before, after).tolist() == [10, 5, 0, 0, 255]
    assert absolute(before, before).tolist() == [0] * 5


def test_correlation():
    one = np.array([[1, 2], [3, 5]], np.uint8)
    assert correlation(one, 7.0 - 2 * one) == pytest.approx(-1)
    assert correlation(one, np.array([[0, 0], [0, 1]])) == pytest.approx(np.corrcoef([1, 2, 3, 5], [0, 0, 0, 1])[0, 1])
    assert correlation(one, np.ones((2, 2))) == 0


@given(st.text("ab :,=+_", max_size=60), st.floats(0.3, 3))
def test_wrapping_keeps_every_letter_and_the_width(text, inches):
    lines = wrapped(text, inches).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert max(map(len, lines)) <= max(4, inches * 72 / 5.4 + 1e-9)


def test_a_spec_breaks_between_its_parts():
    assert wrapped("deep_hiding:per=sample,budget=rms:8\njpeg:quality=10", 1.2) == (
        "deep_hiding:per=\nsample,budget=\nrms:8\njpeg:quality=10"
    )


def test_no_name_is_mathematics_and_long_pictures_stay_long():
    tile = Tile(np.zeros((4, 12, 3), np.uint8), "$x^$")
    assert draw_grid("$1 to $2_", ["a$", "\\b"], [("c$$", [tile, tile])])


def test_panels_are_of_the_same_pictures():
    _, panel = panels()
    assert panel.name == "stripes:levels=8\njpeg:quality=10" and panel.changed
    assert not replace(panel, protected=panel.clean).changed
    with pytest.raises(ValueError, match=r"same pictures before and after stripes.*other labels"):
        replace(panel, protected=panel.protected[1:])
    with pytest.raises(ValueError, match="pictures of one shape"):
        replace(panel, hidden=panel.clean.images[..., :4])
