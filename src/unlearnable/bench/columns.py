"""The columns of a table: those of Table 1, others, and what a list of names and groups stands for."""

from unlearnable.countermeasures import countermeasure_named
from unlearnable.training.chain import split_chain

TABLE1 = (
    "vanilla",
    "cutout",
    "cutmix",
    "mixup",
    "mean",
    "median",
    "bdr",
    "gray",
    "gaussn",
    "gaussf",
    "jpeg:quality=10",
    "jpeg:quality=50",
    "at",
)
JPEG_SWEEP = tuple(f"jpeg:quality={quality}" for quality in range(90, 0, -10))
BEYOND = (
    "gaussf:sigma=0.8",
    "gray+jpeg:quality=10",
    "resize",
    "randaugment",
    "ueraser:repeats=1",
    "ueraser:repeats=5",
    "early",
    "orthogonal",
    "covariance",
    "notch",
    "unweave",
    "spectrum",
    "coin",
    "class_mean",
    "reveal",
    "inverse:per_class=100",  # as many as the others that hold clean pictures
    "bridge:pairs=20",
    "bridge:pairs=500",
    "dvae",
    "simclr",
    "mix",
    "only_clean",
    *(name for name in JPEG_SWEEP if name not in TABLE1),
)
GROUPS = {"table1": TABLE1, "jpeg_sweep": JPEG_SWEEP, "all": (*TABLE1, *BEYOND)}
# One large step from a random start in place of ten small ones (Wong et al., ICLR 2020, arXiv 2001.03994).
QUICK_AT = "at:steps=1,step=10"


def columns(text: str, recipe: str, backbone: str | None = None) -> tuple[str, ...]:
    """The countermeasures of the `GROUPS`, or of a list such as ``table1,gray+jpeg:quality=50,orthogonal``.

    Args:
        text: groups and countermeasures, separated by commas.
        recipe: by the quick one adversarial training takes a cheaper attack, also inside a chain, and says so in its
            name; parameters that are given stay.
        backbone: file of pretrained weights; adds fine-tuning it and training a linear layer on it.

    Raises:
        ValueError: an unknown name or parameter.
    """
    listed = [name for part in _split(text) for name in GROUPS.get(part, (part,))]
    if recipe.partition(":")[0] == "quick":
        listed = ["+".join(QUICK_AT if link == "at" else link for link in split_chain(name)) for name in listed]
    if backbone:
        listed += [f"pretrained:weights={backbone}", f"pretrained:weights={backbone},frozen=true"]
    by_value: dict[str, str] = {}
    for name in listed:
        by_value.setdefault(repr(countermeasure_named(name)), name)  # however it is spelled
    return tuple(by_value.values())


def _split(text: str) -> list[str]:
    """Split at commas, but not at those between parameters."""
    parts: list[str] = []
    for piece in text.split(","):
        head, equals, _ = piece.partition("=")
        if parts and equals and ":" not in head:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece.strip())
    return parts
