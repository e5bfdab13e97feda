"""Semantic images without weights: a photograph's global shape, redrawn in other colours and local textures.

The offline counterpart of Stable Diffusion with ControlNet (paper, section 3.2.3). Once a class: the photograph is
smoothed and split into a dozen regions of one colour and place (k-means), which keep their order from dark to light
in bolder steps, and its edges become lines. Once a sample: every region gets a random colour of its luma and a
random texture, the lines one colour. All samples of a class so share what a small grey thumbnail shows.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.images.imageset import LUMA

Plane = Float[ndarray, "h w"]
Labels = Int[ndarray, "grid grid"]
Colours = Float[ndarray, "h w 3"]

REGIONS = 12
PLACE = 0.2  # weight of the place against the colour: regions hold together
GRID = 128  # px in which regions are found
SMOOTH = 3  # passes of the bilateral filter
DARK, LIGHT = 0.1, 0.9  # luma of the darkest and of the lightest region
SHADING = 0.3  # of the photograph's own light inside a region
CHROMA = 0.28
TEXTURE = 0.06


@dataclass(frozen=True)
class Shape:
    """What all samples of a class share.

    Attributes:
        masks: coverage of each region, soft at its border; they add up to 1.
        lumas: of each region.
        light: the photograph's own, from about -0.5 to 0.5, without texture.
        lines: 1 on an edge.
    """

    masks: Float[ndarray, "regions h w"]
    lumas: Float[ndarray, " regions"]
    light: Plane
    lines: Plane


def shape_of(photograph: UInt8[ndarray, "side side 3"]) -> Shape:
    """Find regions, light and lines of a square photograph; deterministic."""
    import cv2

    side = photograph.shape[0]
    smooth = cv2.cvtColor(np.ascontiguousarray(photograph), cv2.COLOR_RGB2LAB)
    for _ in range(SMOOTH):
        smooth = cv2.bilateralFilter(smooth, d=9, sigmaColor=40, sigmaSpace=max(3.0, side / 40))
    labels = _regions(cv2.resize(smooth, (GRID, GRID), interpolation=cv2.INTER_AREA))
    masks = np.stack([_soft(labels == region, side) for region in range(REGIONS) if (labels == region).any()])
    masks /= masks.sum(0)
    light = smooth[..., 0] / 255.0
    means = np.array([(mask * light).sum() / mask.sum() for mask in masks])
    return Shape(masks, _bolder(means, masks.mean((1, 2))), light - light.mean(), _lines(smooth))


def redraw(shape: Shape, rng: np.random.Generator) -> UInt8[ndarray, "3 side side"]:
    """One sample: random colours and textures on the shape."""
    side = shape.light.shape[0]
    picture = np.zeros((side, side, 3))
    for mask, luma in zip(shape.masks, shape.lumas, strict=True):
        picture += mask[..., None] * _filling(rng, float(luma), side)
    picture += SHADING * shape.light[..., None]
    ink = _colour(rng, 0.06)
    picture += 0.85 * shape.lines[..., None] * (ink - picture)
    drawn: UInt8[ndarray, "3 side side"] = (picture.clip(0, 1) * 255).round().astype(np.uint8).transpose(2, 0, 1)
    return drawn


def _regions(lab: UInt8[ndarray, "grid grid 3"]) -> Labels:
    """A region's number for every pixel, borders smoothed by majority."""
    import cv2
    from sklearn.cluster import KMeans

    ys, xs = np.mgrid[0 : 1 : GRID * 1j, 0 : 1 : GRID * 1j]
    features = np.dstack([lab / 255.0, PLACE * xs, PLACE * ys]).reshape(-1, 5)
    labels = KMeans(REGIONS, n_init=1, random_state=0).fit(features).labels_.reshape(GRID, GRID)
    votes = [cv2.GaussianBlur((labels == region).astype(np.float32), (0, 0), GRID / 64) for region in range(REGIONS)]
    smoothed: Labels = np.argmax(votes, axis=0)
    return smoothed


def _soft(mask: Bool[ndarray, "grid grid"], side: int) -> Plane:
    """A region at full size with a border of about a pixel or two."""
    import cv2

    full = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    full = cv2.GaussianBlur(full, (0, 0), max(0.6, side / GRID))
    soft: Plane = (1 / (1 + np.exp(-10 * (full - 0.5)))).astype(np.float64)
    return soft


def _bolder(means: Float[ndarray, " regions"], areas: Float[ndarray, " regions"]) -> Float[ndarray, " regions"]:
    """Lumas in the order of ``means``, spread from dark to light by the regions' areas."""
    order = np.argsort(means)
    ranks = np.empty_like(means)
    ranks[order] = np.cumsum(areas[order]) - areas[order] / 2
    stretched = (means - means.min()) / max(float(np.ptp(means)), 1e-9)
    bolder: Float[ndarray, " regions"] = DARK + (LIGHT - DARK) * (ranks + stretched) / 2
    return bolder


def _lines(lab: UInt8[ndarray, "side side 3"]) -> Plane:
    """Edges of the smoothed photograph as lines a hundredth of its side wide; specks are left out."""
    import cv2

    side = lab.shape[0]
    edges = cv2.Canny(np.ascontiguousarray(lab[..., 0]), 50, 120)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    long = np.flatnonzero(np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= side / 10)
    width = max(1, round(side / 100))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    drawn = cv2.dilate(np.isin(parts, long[long > 0]).astype(np.float32), pen)
    lines: Plane = cv2.GaussianBlur(drawn, (0, 0), max(0.5, side / 400)).astype(np.float64)
    return lines


def _colour(rng: np.random.Generator, luma: float) -> Float[ndarray, " 3"]:
    """A random hue of the given luma, as colourful as the range of values allows."""
    tint = rng.normal(size=3)
    tint -= tint @ LUMA
    tint *= CHROMA / np.linalg.norm(tint)
    limits = np.where(tint > 0, (1 - luma) / np.maximum(tint, 1e-9), luma / np.maximum(-tint, 1e-9))
    colour: Float[ndarray, " 3"] = luma + tint * min(1.0, float(limits.min()))
    return colour


def _filling(rng: np.random.Generator, luma: float, side: int) -> Colours:
    """Two hues of one luma that run into each other, and a texture."""
    ys, xs = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle = rng.uniform(0, 2 * math.pi)
    along = xs * math.cos(angle) + ys * math.sin(angle)
    share = (1 / (1 + np.exp(-3 * along)))[..., None]
    colours = _colour(rng, luma) * share + _colour(rng, luma) * (1 - share)
    filling: Colours = colours + TEXTURE * _texture(rng, xs, ys)[..., None]
    return filling


def _texture(rng: np.random.Generator, xs: Plane, ys: Plane) -> Plane:
    """Stripes, waves, dots or grain of random pitch and direction, mean about 0."""
    kind, angle, pitch = rng.integers(4), rng.uniform(0, math.pi), rng.uniform(12, 36)
    phase, bend = rng.uniform(0, 2 * math.pi, 2)
    u, v = (pitch * (xs * math.cos(a) + ys * math.sin(a)) for a in (angle, angle + math.pi / 2))
    texture: Plane
    if kind == 0:
        texture = np.sin(u * 1.6 + phase)
    elif kind == 1:
        texture = np.sin(u * 1.6 + 1.5 * np.sin(v / 2 + bend) + phase)
    elif kind == 2:
        texture = 2 * np.sin(u + phase) * np.sin(v + bend)
    else:
        cells = round(pitch * 1.5)
        grain = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
        texture = np.asarray(grain.resize(xs.shape[::-1], Image.Resampling.BICUBIC), dtype=np.float64)
    return texture
