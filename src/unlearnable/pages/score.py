"""An accuracy that was measured with several seeds."""

from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Score:
    """An accuracy over seeds, in [0, 1].

    Attributes:
        mean: over the seeds.
        deviation: standard deviation over them; None with one seed.
    """

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: list[float]) -> "Score":
        """Mean and sample standard deviation."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)
