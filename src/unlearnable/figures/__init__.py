"""The paper's Figures 2 to 4 as code. Importing this package registers all of them."""

from unlearnable.figures import gradcam, perturbation_maps, tsne
from unlearnable.figures.base import Drawing, Figure, Panel, figure_named, figures

__all__ = ["Drawing", "Figure", "Panel", "figure_named", "figures", "gradcam", "perturbation_maps", "tsne"]
