"""Sentences as vectors: by CLIP's text encoder, or without any weights by their words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Vectors = Float[ndarray, "n d"]

TFIDF = "tfidf"
COMPONENTS = 128  # of the latent semantic analysis: a hundred and a few are common
BATCH = 256


def embed(sentences: Sequence[str], embedder: str = TFIDF, device: str | None = None, seed: int = 0) -> Vectors:
    """One unit vector a sentence.

    Args:
        sentences: what to embed.
        embedder: ``tfidf``, or the folder or hub id of a CLIP model, whose text encoder the paper uses.
        device: torch device of CLIP; CUDA where there is one when None.
        seed: of the decomposition behind ``tfidf``.

    Raises:
        OSError: there are no such weights, or none as safetensors.
    """
    return normalised(_by_words(sentences, seed) if embedder == TFIDF else _by_clip(sentences, embedder, device))


def normalised(vectors: Vectors) -> Vectors:
    """The same directions at length 1."""
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _by_words(sentences: Sequence[str], seed: int) -> Vectors:
    """Latent semantic analysis (Deerwester et al., JASIS 1990) of weighted word counts."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(sublinear_tf=True, stop_words="english", token_pattern=r"\w+").fit_transform(sentences)
    components = min(COMPONENTS, counts.shape[1] - 1)
    if components < 2:  # too few different words to decompose
        return np.asarray(counts.toarray(), dtype=np.float64)
    return np.asarray(TruncatedSVD(components, random_state=seed).fit_transform(counts), dtype=np.float64)


def _by_clip(sentences: Sequence[str], model: str, device: str | None) -> Vectors:
    """CLIP's text features (Radford et al., ICML 2021, arXiv 2103.00020), from safetensors alone."""
    import torch
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    from unlearnable.devices import device_named

    place: dict[str, Any] = {"local_files_only": Path(model).is_dir()}
    tokenizer = AutoTokenizer.from_pretrained(model, **place)
    encoder: Any = CLIPTextModelWithProjection.from_pretrained(model, use_safetensors=True, **place)
    chosen = device_named(device)
    encoder = encoder.to(chosen).eval()
    length = encoder.config.max_position_embeddings
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(sentences), BATCH):
            batch = list(sentences[start : start + BATCH])
            words = tokenizer(batch, padding=True, truncation=True, max_length=length, return_tensors="pt").to(chosen)
            vectors.append(encoder(**words).text_embeds.float().cpu().numpy())
    return np.concatenate(vectors).astype(np.float64)
