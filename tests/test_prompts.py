from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from banks import SENTENCES, captioned
from tiny_diffusion import save_clip
from unlearnable.semantics.captions import Caption, Captions, read_captions
from unlearnable.semantics.prompts import clustered_prompts, embed, mean_distance, photographs, random_prompts

DOGS_AND_BUSES = ["A dog runs over grass.", "The dog runs on green grass.", "A bus in the street.", "A bus stops."]


def in_groups(groups: int, each: int, seed: int = 0, spread: float = 0.05):
    """Captions whose vectors lie around as many axes."""
    vectors = np.repeat(np.eye(groups), each, axis=0)
    vectors = vectors + np.random.default_rng(seed).normal(0, spread, vectors.shape)
    captions = tuple(Caption(f"{place}", f"{place}.jpg") for place in range(groups * each))
    return Captions(Path("x"), captions), vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(groups=st.integers(2, 6), each=st.integers(2, 5), seed=st.integers(0, 50))
def test_as_many_classes_as_groups_takes_one_of_each(groups, each, seed):
    captions, vectors = in_groups(groups, each, seed)
    prompts = clustered_prompts(captions, vectors, groups, 2 * groups, seed)
    assert {int(prompt.caption.text) // each for prompt in prompts} == set(range(groups))
    assert len({prompt.cluster for prompt in prompts}) == groups
    assert mean_distance(prompts) > 0.7


@given(classes=st.integers(1, 6), seed=st.integers(0, 50))
def test_every_class_has_a_photograph_of_its_own(classes, seed):
    """Five captions of one photograph, as Flickr8k has, never serve two classes."""
    captions, vectors = in_groups(6, 4, seed, spread=0.5)
    shared = tuple(
        Caption(c.text, f"{place % 8}.jpg" if place % 3 else None) for place, c in enumerate(captions.captions)
    )
    captions = Captions(Path("x"), shared)
    for prompts in (
        clustered_prompts(captions, vectors, classes, 12, seed),
        random_prompts(captions, vectors, classes, seed),
    ):
        pictures = [prompt.caption.picture for prompt in prompts]
        assert len(set(pictures)) == classes and None not in pictures


def test_the_nearest_caption_with_a_photograph():
    captions, vectors = in_groups(3, 5, spread=0.2)
    centres = vectors.reshape(3, 5, 3).mean(1)
    nearest = [5 * group + int((vectors[5 * group : 5 * group + 5] @ centres[group]).argmax()) for group in range(3)]
    prompts = clustered_prompts(captions, vectors, 3, 3)
    assert sorted(int(prompt.caption.text) for prompt in prompts) == nearest
    without = tuple(Caption(c.text, None) if int(c.text) == nearest[1] else c for c in captions.captions)
    again = clustered_prompts(Captions(Path("x"), without), vectors, 3, 3)
    assert len({p.caption.text for p in prompts} - {p.caption.text for p in again}) == 1


def test_deterministic_in_the_seed(tmp_path):
    captions = read_captions(*captioned(tmp_path).values())
    vectors = embed(SENTENCES)
    for choose in (clustered_prompts, random_prompts):
        texts = [[p.caption.text for p in choose(captions, vectors, 4, seed=seed)] for seed in (1, 1, 2, 3, 4)]
        assert texts[0] == texts[1]
        assert len(set(map(tuple, texts))) > 1


def test_refused():
    captions, vectors = in_groups(3, 2)
    for choose in (clustered_prompts, random_prompts):
        with pytest.raises(ValueError, match="a photograph for each of 7 classes, got 6"):
            choose(captions, vectors, 7)
        with pytest.raises(ValueError, match="one class or more"):
            choose(captions, vectors, 0)
    with pytest.raises(ValueError, match="got 3 clusters"):
        clustered_prompts(captions, vectors, 4, 3)
    with pytest.raises(ValueError, match="at most 6 clusters"):
        clustered_prompts(captions, vectors, 4, 7)
    one_picture = tuple(Caption(c.text, "a.jpg" if int(c.text) < 4 else "b.jpg") for c in captions.captions)
    spread = Captions(Path("x"), one_picture)
    assert len(clustered_prompts(spread, vectors, 2, 3)) == 2
    only_first = Captions(
        Path("x"), tuple(Caption(c.text, f"{c.text}.jpg" if int(c.text) < 2 else None) for c in one_picture)
    )
    with pytest.raises(ValueError, match="2 clusters with a photograph of their own, got 1 of 3"):
        clustered_prompts(only_first, vectors, 2, 3)


def test_one_class_has_no_distance():
    captions, vectors = in_groups(2, 2)
    assert mean_distance(random_prompts(captions, vectors, 1)) is None


def test_clusters_lie_farther_apart_than_random_captions_of_flickr8k(data):
    captions = read_captions(data / "flickr8k" / "captions.json", data / "flickr8k" / "images")
    assert captions.without_picture == 0
    vectors = embed([caption.text for caption in captions.captions])
    random = np.mean([mean_distance(random_prompts(captions, vectors, 10, seed)) for seed in range(5)])
    assert mean_distance(clustered_prompts(captions, vectors, 10)) > random


@given(groups=st.integers(2, 5), each=st.integers(2, 5), seed=st.integers(0, 50))
def test_photographs_without_generation(groups, each, seed):
    """A class's own comes first, the nearest follow, and none serves twice."""
    captions, vectors = in_groups(groups, each, seed)
    prompts = clustered_prompts(captions, vectors, groups, groups, seed)
    chosen = photographs(captions, vectors, prompts, each, seed)
    assert [names[0] for names in chosen] == [prompt.caption.picture for prompt in prompts]
    assert {name for names in chosen for name in names} == captions.pictures
    assert [{int(name.removesuffix(".jpg")) // each for name in names} for names in chosen] == [
        {int(prompt.caption.text) // each} for prompt in prompts
    ]
    with pytest.raises(ValueError, match=f"expected {each + 1} photographs for each of {groups} classes"):
        photographs(captions, vectors, prompts, each + 1, seed)


def test_random_photographs_have_nothing_in_common():
    captions, vectors = in_groups(5, 20)
    chosen = photographs(captions, vectors, random_prompts(captions, vectors, 5), 20)
    assert sorted(name for names in chosen for name in names) == sorted(captions.pictures)
    assert all(len({int(name.removesuffix(".jpg")) // 20 for name in names}) > 2 for names in chosen)


def test_by_words():
    vectors = embed(DOGS_AND_BUSES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    similar = vectors @ vectors.T
    assert similar[0, 1] > 0.4 > 0.2 > similar[0, 2]
    assert np.array_equal(vectors, embed(DOGS_AND_BUSES))


def test_few_words_and_none():
    assert embed(["dog", "dog", "cat"]).shape == (3, 2)
    assert np.isfinite(embed(["the of", "dog cat bus wave", "dog"])).all()


def test_by_clip(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    clip = save_clip(tmp_path)
    vectors = embed([*DOGS_AND_BUSES, "dog " * 200], str(clip), "cpu")
    assert vectors.shape == (5, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_allclose(
        vectors[1:3], embed(DOGS_AND_BUSES[1:3], str(clip), "cpu"), atol=1e-5
    )  # padding is masked

    (clip / "model.safetensors").unlink()
    torch.save({}, clip / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        embed(DOGS_AND_BUSES, str(clip), "cpu")
