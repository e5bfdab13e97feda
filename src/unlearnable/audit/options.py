"""What an audit trains: for Python, the command line and the page."""

from dataclasses import dataclass

from unlearnable.audit.large import usual_trained
from unlearnable.bench.columns import columns
from unlearnable.options import PositiveInt
from unlearnable.registry import check_fields
from unlearnable.training.recipes import recipe_named
from unlearnable.victims.architectures import victim_named


@dataclass(frozen=True)
class AuditOptions:
    """Options of `audit_folder`.

    Attributes:
        countermeasures: ``table1``, ``jpeg_sweep``, ``all``, or names with parameters, chained by ``+``, separated by
            commas.
        victim: see `victims`; any timm name.
        recipe: ``quick``, ``paper`` or ``transformer``.
        seeds: trainings of each row on each set.
        size: side in pixels at which is trained; that of the published pictures, at most 224, when None.
        published_size: side in pixels at which the pictures are read, where they are to go through a platform or a
            scraper at that size, and are brought to ``size`` after that; ``size`` when None.
        backbone: safetensors file of pretrained weights for ``victim``, or the name of a known one: adds fine-tuning it
            and a linear layer on it.

    Raises:
        ValueError: one of them will not do.
    """

    countermeasures: str = "table1"
    victim: str = "resnet9"
    recipe: str = "quick"
    seeds: PositiveInt = 1
    size: int | None = None
    published_size: int | None = None
    backbone: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        victim_named(self.victim)
        recipe_named(self.recipe)
        self.names()

    def names(self) -> tuple[str, ...]:
        """The countermeasures, one by one."""
        return columns(self.countermeasures, self.recipe, self.backbone)

    @property
    def read_at(self) -> int | None:
        """Side in pixels at which the pictures are read; their own when None."""
        return self.size if self.published_size is None else self.published_size

    @property
    def trained_at(self) -> int | None:
        """Side in pixels to which the countermeasures bring the pictures; None where they come as they are trained."""
        if self.published_size is None:
            return None
        return usual_trained(self.published_size) if self.size is None else self.size
