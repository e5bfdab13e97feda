import itertools

import numpy as np
import pytest

from unlearnable.keys import Key
from unlearnable.semantics.textures import TEXTURES, TILE, texture

KEY = Key(bytes(range(32)))


def moved(tile):
    """The texture after every shift and flip, over a field of several tiles."""
    field = np.tile(tile, (2, 2))
    for flipped in (field, field[:, ::-1]):
        for down, across in itertools.product(range(TILE), repeat=2):
            yield flipped[down : down + TILE, across : across + TILE]


@pytest.mark.parametrize("number", range(len(TEXTURES)))
def test_is_of_mean_0_and_mean_square_1(number):
    assert TEXTURES[number].shape == (TILE, TILE)
    assert abs(TEXTURES[number].mean()) < 1e-9
    assert TEXTURES[number].std() == pytest.approx(1)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(len(TEXTURES)), 2)))
def test_no_shift_or_flip_makes_one_another(one, other):
    alike = max(abs((shifted * TEXTURES[other]).mean()) for shifted in moved(TEXTURES[one]))
    assert alike < 0.8


def test_every_class_of_a_hundred_has_its_own():
    drawn = [texture(KEY, label) for label in range(100)]
    assert all(not np.array_equal(*pair) for pair in itertools.combinations(drawn, 2))


def test_the_key_deals_them():
    keys = [Key(bytes([number]) * 32) for number in range(5)]
    assert len({tuple(texture(key, label).tobytes() for label in range(10)) for key in keys}) == len(keys)
