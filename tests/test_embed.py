import numpy as np
import pytest
import torch

from tiny_diffusion import save_clip
from unlearnable.semantics.prompts import embed

SENTENCES = ["A dog runs over grass.", "The dog runs on green grass.", "A bus in the street.", "A bus stops."]


def test_by_words():
    vectors = embed(SENTENCES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    similar = vectors @ vectors.T
    assert similar[0, 1] > 0.4 > 0.2 > similar[0, 2]
    assert np.array_equal(vectors, embed(SENTENCES))


def test_few_words_and_none():
    assert embed(["dog", "dog", "cat"]).shape == (3, 2)
    assert np.isfinite(embed(["the of", "dog cat bus wave", "dog"])).all()


def test_by_clip(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    clip = save_clip(tmp_path)
    vectors = embed([*SENTENCES, "dog " * 200], str(clip), "cpu")
    assert vectors.shape == (5, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_allclose(vectors[1:3], embed(SENTENCES[1:3], str(clip), "cpu"), atol=1e-5)  # padding is masked

    (clip / "model.safetensors").unlink()
    torch.save({}, clip / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        embed(SENTENCES, str(clip), "cpu")
