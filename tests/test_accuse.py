"""The test itself: what is shown, and how the owner's key is compared with keys that are nobody's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unlearnable.accuse.design import Extent, decoy_keys, drawn
from unlearnable.accuse.statistics import (
    Comparison,
    answers_found,
    holm,
    log_odds,
    paired,
    responses,
    scores_found,
)

KEYS, CLASSES, TURNS = 5, 3, 2
SCORES = arrays(np.float64, (KEYS, CLASSES, TURNS), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def p_value(scores):
    return Comparison.of(responses(scores), scores.mean((1, 2))).p_value


@given(st.integers(1, 20000), st.floats(0.005, 0.5), st.integers(1, 200))
def test_no_more_is_asked_than_allowed_and_decoys_suffice_for_the_level(queries, level, classes):
    try:
        extent = Extent.within(queries, level, classes)
    except ValueError as error:
        assert "expected at least" in str(error)
        assert queries < 1 / level + 1
        return
    assert extent.queries <= queries
    assert 1 / (1 + extent.decoys) <= level + 1e-9
    assert 1 <= extent.classes <= classes
    assert extent.classes == classes or extent.turns == 1


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32))
def test_every_key_shows_every_class_equally_often_on_the_same_covers(decoys, classes, turns, seed):
    covers = [[10 * label + turn for turn in range(turns)] for label in range(classes)]
    probes = drawn(Extent(decoys, classes, turns), covers, np.random.default_rng(seed))
    shown = {(probe.key, probe.label, probe.turn): probe.cover for probe in probes}
    assert len(shown) == len(probes) == (1 + decoys) * classes * turns
    assert all(cover == covers[label][turn] for (_, label, turn), cover in shown.items())


def test_the_order_says_nothing_of_the_owner():
    probes = drawn(Extent(9, 10, 10), [list(range(10))] * 10, np.random.default_rng(0))
    places = [place for place, probe in enumerate(probes) if probe.key == 0]
    assert abs(np.mean(places) - (len(probes) - 1) / 2) < 4 * np.std(range(len(probes))) / np.sqrt(len(places))


def test_decoys_are_made_again_from_their_seed_and_are_all_different():
    keys = decoy_keys(b"seed", 99)
    assert keys == decoy_keys(b"seed", 99)
    assert len({key.secret for key in keys} | {key.secret for key in decoy_keys(b"other", 99)}) == 198


@given(SCORES)
def test_whoever_is_the_owner_no_more_are_accused_than_the_level_says(scores):
    """Exact: of keys in whatever order, at most a share t has a p-value of at most t, for every t."""
    p_values = []
    for owner in range(KEYS):
        order = [owner, *(key for key in range(KEYS) if key != owner)]
        p_values.append(p_value(scores[order]))
    for level in np.arange(1, KEYS + 1) / KEYS:
        assert sum(p <= level + 1e-12 for p in p_values) <= level * KEYS + 1e-9


def test_a_rank_counts_ties_against_the_owner():
    figures = np.array([0.5, 0.1, 0.5, 0.7])
    found = Comparison.of(figures, figures)
    assert (found.owner, found.highest_decoy, found.beaten, found.p_value) == (0.5, 0.7, 1, 0.75)
    assert found.decoys == pytest.approx(1.3 / 3)
    best = np.array([0.9, *np.linspace(0, 0.8, 99)])
    assert Comparison.of(best, best).p_value == 0.01


def test_log_odds_are_bounded():
    assert log_odds(np.array([0.5, 0.0, 1.0])) == pytest.approx([0, np.log(1e-6), -np.log(1e-6)], abs=1e-5)


@given(SCORES)
def test_the_cross_check_is_what_trying_all_exchanges_gives(scores):
    means = scores.mean(2)
    sums = [means[list(keys), range(CLASSES)].sum() for keys in itertools.product(range(KEYS), repeat=CLASSES)]
    exact = np.mean(np.array(sums) >= means[0].sum() - 1e-9)
    assert paired(scores, seed=1, permutations=4000) == pytest.approx(exact, abs=0.04)


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values):
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[place] * (len(p_values) - done) > level:
                break
            rejected.add(place)
        assert {place for place, p in enumerate(corrected) if p <= level} == rejected


def test_answers_are_found_where_the_model_calls_classes_otherwise():
    rng = np.random.default_rng(0)
    keys, turns, classes, answers = 50, 6, 4, 9
    table = rng.uniform(0, 0.1, (keys, turns, classes, answers)) + np.linspace(0, 0.5, answers)  # some are common
    called = [7, 0, 3, 8]
    for label, answer in enumerate(called):
        table[0, :, label, answer] += 0.3
    found = answers_found(table[:, ::2])
    assert found[0].tolist() == called
    scores = scores_found(table[:, 1::2], found)
    assert scores.shape == (keys, classes, 3)
    assert p_value(scores) == 1 / keys


def test_a_search_for_answers_favours_no_key():
    """Of noise, searched and tested on different pictures, the owner's rank is anybody's."""
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(400):
        table = (rng.random((10, 4, 2, 6)) < 0.2).astype(float)
        p_values.append(p_value(scores_found(table[:, 1::2], answers_found(table[:, ::2]))))
    assert np.mean(np.array(p_values) <= 0.1 + 1e-9) < 0.1 + 3 * np.sqrt(0.09 / 400)
