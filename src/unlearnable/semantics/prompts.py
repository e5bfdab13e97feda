"""Choose a prompt for every class, as different from each other as can be (paper, section 3.2.3).

Captions are clustered by k-means with k-means++ seeding (Arthur and Vassilvitskii, SODA 2007), the most distinct
clusters are kept, and the caption nearest to the centre of each is its class's prompt. Which clusters are the most
distinct is not said in the paper: here it is a greedy choice of the farthest centre (Gonzalez, 1985).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.semantics.captions import Caption, Captions

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

    from unlearnable.compute.devices import device_named

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


CLUSTERS_A_CLASS = 4


@dataclass(frozen=True)
class Prompt:
    """The caption of a class.

    Attributes:
        caption: with its photograph.
        cluster: its cluster's number, or None without clustering.
        vector: its embedding.
    """

    caption: Caption
    cluster: int | None
    vector: Float[ndarray, " d"]


def clustered_prompts(
    captions: Captions, vectors: Vectors, classes: int, clusters: int | None = None, seed: int = 0
) -> list[Prompt]:
    """The captions nearest to the centres of the most distinct clusters, each with a photograph of its own.

    Args:
        captions: to choose from.
        vectors: their embeddings, of unit length.
        classes: how many to choose.
        clusters: how many to make; four a class when None, as far as there are different captions.
        seed: of k-means.

    Raises:
        ValueError: there are fewer clusters than classes, or fewer that hold a photograph.
    """
    from sklearn.cluster import KMeans

    _check(captions, classes)
    different = len(np.unique(vectors.round(9), axis=0))
    clusters = min(CLUSTERS_A_CLASS * classes, different) if clusters is None else clusters
    if not classes <= clusters <= different:
        raise ValueError(
            f"expected {classes} classes or more clusters, and at most {different} clusters, "
            f"as many as there are different captions; got {clusters} clusters"
        )
    means = KMeans(clusters, init="k-means++", n_init=1, random_state=seed).fit(vectors)
    centres = normalised(means.cluster_centers_)
    chosen: dict[int, int] = {}  # cluster to caption
    candidates = np.ones(clusters, dtype=bool)
    while candidates.any() and len(chosen) < classes:
        cluster = _farthest(centres, list(chosen), candidates)
        candidates[cluster] = False
        taken = {captions.captions[place].picture for place in chosen.values()} | {None}
        members = np.flatnonzero(means.labels_ == cluster)
        free = [int(place) for place in members if captions.captions[place].picture not in taken]
        if free:
            chosen[cluster] = max(free, key=lambda place: float(vectors[place] @ centres[cluster]))
    if len(chosen) < classes:
        raise ValueError(
            f"expected {classes} clusters with a photograph of their own, got {len(chosen)} of {clusters}; "
            "give more photographs or --clusters"
        )
    return [Prompt(captions.captions[place], cluster, vectors[place]) for cluster, place in chosen.items()]


def random_prompts(captions: Captions, vectors: Vectors, classes: int, seed: int = 0) -> list[Prompt]:
    """Captions of random photographs: what the choice of clusters is compared with (paper, Table 4).

    Raises:
        ValueError: there are fewer photographs than classes.
    """
    _check(captions, classes)
    rng = np.random.default_rng(seed)
    pictures = rng.permutation(sorted(captions.pictures))[:classes]
    places = [rng.choice([p for p, c in enumerate(captions.captions) if c.picture == picture]) for picture in pictures]
    return [Prompt(captions.captions[place], None, vectors[place]) for place in places]


def photographs(
    captions: Captions, vectors: Vectors, prompts: list[Prompt], per_class: int, seed: int = 0
) -> list[list[str]]:
    """Names of the photographs of every class, its prompt's own first; none serves twice.

    Those whose captions are nearest to the prompt follow; random ones where the prompts are. More than one a class is
    for a bank without generation, which the paper's Table 4 compares with.

    Raises:
        ValueError: there are too few.
    """
    if len(captions.pictures) < len(prompts) * per_class:
        raise ValueError(
            f"expected {per_class} photographs for each of {len(prompts)} classes, got {len(captions.pictures)} in "
            f"{captions.folder}; give more, or a smaller --per-class"
        )
    chosen = [[str(prompt.caption.picture)] for prompt in prompts]
    taken = {own for (own,) in chosen}
    at_random = [str(name) for name in np.random.default_rng(seed).permutation(sorted(captions.pictures))]
    for prompt, names in zip(prompts, chosen, strict=True):
        free = [name for name in at_random if name not in taken]
        if prompt.cluster is not None:
            nearness = _nearness(captions, vectors @ prompt.vector)
            free.sort(key=lambda name: -nearness[name])
        names += free[: per_class - 1]
        taken.update(names)
    return chosen


def _nearness(captions: Captions, cosines: Float[ndarray, " n"]) -> dict[str, float]:
    """Of every photograph, by the nearest of its captions."""
    nearness: dict[str, float] = {}
    for caption, cosine in zip(captions.captions, cosines.tolist(), strict=True):
        if caption.picture:
            nearness[caption.picture] = max(cosine, nearness.get(caption.picture, -1.0))
    return nearness


def mean_distance(prompts: list[Prompt]) -> float | None:
    """Mean cosine distance between the prompts of two classes; None of a single class."""
    vectors = np.stack([prompt.vector for prompt in prompts])
    pairs = np.triu_indices(len(prompts), 1)
    return round(float(1 - (vectors @ vectors.T)[pairs].mean()), 4) if len(prompts) > 1 else None


def _check(captions: Captions, classes: int) -> None:
    if classes < 1:
        raise ValueError(f"expected one class or more, got {classes}")
    if len(captions.pictures) < classes:
        raise ValueError(
            f"expected a photograph for each of {classes} classes, got {len(captions.pictures)} in {captions.folder}"
        )


def _farthest(centres: Vectors, kept: list[int], candidates: ndarray) -> int:
    """The candidate whose nearest kept centre is farthest; at first, the one farthest from all on average."""
    distances = 1 - centres @ centres.T
    scores: Float[ndarray, " m"] = distances[kept].min(0) if kept else distances.mean(0)
    return int(np.where(candidates, scores, -np.inf).argmax())
