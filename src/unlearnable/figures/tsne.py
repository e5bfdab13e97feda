"""How well classes separate in clean pictures and in perturbations (paper, Figure 3).

t-SNE: van der Maaten and Hinton, JMLR 9, 2008.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from jaxtyping import Float, Int64
from numpy import ndarray
from torch import Tensor, nn

from unlearnable.figures.base import Drawing, Figure, Panel, Record, figures, in_turn, unit
from unlearnable.figures.layout import FONT, INK, TITLE_FONT, WIDTH, png, wrapped
from unlearnable.images.quality import as_picture
from unlearnable.options import PositiveFloat, PositiveGreyLevels, Seed
from unlearnable.victims.features import penultimate

COMPONENTS = 50  # of the PCA before, as the authors of t-SNE advise
BATCH = 256
ACROSS = 3  # clouds in a row
TEXT = 0.8  # inches for what stands above and below a cloud, more than beside it
# Paul Tol's muted scheme for the colour-blind; every class has its own shape, too
COLOURS = ["#332288", "#CC6677", "#117733", "#88CCEE", "#882255"]
COLOURS += ["#DDCC77", "#44AA99", "#AA4499", "#999933", "#555555"]
SHAPES = "o^sDvP<X>*"


@dataclass(frozen=True)
class Cloud:
    """Features of pictures, embedded in the plane, and how well their classes separate before that.

    Attributes:
        points: their places.
        neighbour: how often the nearest other point is of the same class, in [0, 1].
        silhouette: mean over the points, in [-1, 1] (Rousseeuw, 1987); above 0, classes are apart.
    """

    points: Float[ndarray, "n 2"]
    neighbour: float
    silhouette: float


@figures.register("tsne")
class Tsne(Figure):
    """t-SNE of clean pictures, and of each protection's perturbations, coloured by class.

    The clean pictures are seen by the first panel's model, the perturbations by that of their own panel. A
    perturbation is shown to a model as eq. 7's extractor sees it: around grey, four times ``eps`` the whole range.

    Its numbers: for each cloud how often the nearest other point, before t-SNE, is of the same class
    (``neighbour``), and the ``silhouette``. That perturbations have "clear separability" (paper, section 3.3) is a
    neighbour near 1 where the clean pictures' is not.

    Attributes:
        points: pictures in a cloud, as many of each class.
        classes: the first so many; more colours are not told apart.
        features: ``victim``, what a trained model's last layer sees, as in the paper; or ``pixels``.
        perplexity: about how many neighbours count (scikit-learn's own 30).
        eps: grey levels that are a quarter of the range; the paper's budget.
        seed: decides which pictures are drawn; of PCA and t-SNE, too.
    """

    points: Annotated[int, Ge(3)] = 1000
    classes: Annotated[int, Interval(ge=2, le=len(COLOURS))] = 10
    features: Literal["victim", "pixels"] = "victim"
    perplexity: PositiveFloat = 30.0
    eps: PositiveGreyLevels = 8.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.perplexity >= self.points:
            raise ValueError(f"expected more points than the perplexity of {self.perplexity}, got points={self.points}")

    @property
    def trains(self) -> bool:
        """A victim's features come from a trained one."""
        return self.features == "victim"

    def draw(self, panels: Sequence[Panel]) -> Drawing:
        """One cloud of the clean pictures, and one of each panel that changes any."""
        first = panels[0]
        among = torch.nonzero(first.clean.labels < self.classes)[:, 0]
        drawn = among[torch.randperm(len(among), generator=torch.Generator().manual_seed(self.seed))]
        places = drawn[in_turn(first.clean.labels[drawn], self.points)]
        labels = first.clean.labels[places].numpy()
        seen = {"clean pictures": self._features(first, unit(first.clean.images[places]))}
        for panel in panels:
            if panel.changed:
                change = unit(panel.protected.images[places]) - unit(panel.clean.images[places])
                seen[f"perturbations of {panel.name}"] = self._features(panel, as_picture(change, self.eps))
        clouds = {name: embed(features, labels, self.perplexity, self.seed) for name, features in seen.items()}
        source = "what the trained model's last layer sees" if self.trains else "pixels"
        title = f"t-SNE of {source}; perplexity {self.perplexity:g}, seed {self.seed}, {len(places)} points"
        numbers: tuple[Record, ...] = tuple(
            {
                "cloud": name.replace("\n", ", "),
                "neighbour": round(cloud.neighbour, 4),
                "silhouette": round(cloud.silhouette, 4),
            }
            for name, cloud in clouds.items()
        )
        return Drawing(draw_clouds(title, clouds, labels, first.clean.classes), numbers)

    def _features(self, panel: Panel, images: Float[Tensor, "n 3 h w"]) -> Float[ndarray, "n d"]:
        return (model_features(panel.trained, images) if self.trains else images.flatten(1)).numpy()


@torch.inference_mode()
def model_features(model: nn.Module, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
    """What a victim's last layer sees of pictures, in evaluation mode; answered on the CPU."""
    device = next(model.eval().parameters()).device
    return torch.cat([penultimate(model, batch.to(device)).cpu() for batch in images.split(BATCH)]).float()


def embed(features: Float[ndarray, "n d"], labels: Int64[ndarray, " n"], perplexity: float, seed: int) -> Cloud:
    """PCA, then t-SNE; the same on one machine for the same ``seed``.

    Raises:
        ValueError: the features are all the same, there is one class alone, or there are no more points than
            ``perplexity``.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    if not np.ptp(features, axis=0).any():
        raise ValueError("expected features that differ, got the same of every picture: there is nothing to embed")
    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)[:, 0]
    main = PCA(min(COMPONENTS, *features.shape), random_state=seed).fit_transform(features)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(main)
    return Cloud(points, float((labels[nearest] == labels).mean()), float(silhouette_score(features, labels)))


def draw_clouds(title: str, clouds: dict[str, Cloud], labels: Int64[ndarray, " n"], classes: tuple[str, ...]) -> bytes:
    """Draw clouds of the same pictures side by side as PNG, each under its name, and the classes' colours below."""
    from matplotlib.figure import Figure as Canvas

    across = min(ACROSS, len(clouds))
    down = -(-len(clouds) // across)
    side = min(4.5, WIDTH / across)
    canvas = Canvas(figsize=(WIDTH, down * (side + TEXT) + 1), layout="constrained")
    canvas.suptitle(wrapped(title, WIDTH, TITLE_FONT), fontsize=TITLE_FONT, weight="bold", color=INK)
    plots = canvas.subplots(down, across, squeeze=False).ravel()
    for axes in plots[len(clouds) :]:
        axes.set_axis_off()
    for axes, (name, cloud) in zip(plots, clouds.items(), strict=False):
        for label, colour, shape in zip(np.unique(labels), cycle(COLOURS), cycle(SHAPES), strict=False):
            points = cloud.points[labels == label].T
            axes.scatter(*points, s=14, c=colour, marker=shape, linewidths=0, alpha=0.85, label=classes[label])
        axes.set_box_aspect(1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(wrapped(name, side), fontsize=FONT, weight="bold", color=INK)
        found = f"nearest neighbour of the same class: {100 * cloud.neighbour:.0f} %\nsilhouette {cloud.silhouette:.2f}"
        axes.set_xlabel(f"t-SNE 1\n{found}", fontsize=FONT, color=INK)
        axes.set_ylabel("t-SNE 2", fontsize=FONT, color=INK)
    handles, names = plots[0].get_legend_handles_labels()
    names = [wrapped(name, WIDTH / 5) for name in names]
    canvas.legend(handles, names, loc="outside lower center", ncols=5, fontsize=FONT, markerscale=2, frameon=False)
    return png(canvas)
