"""What an audit found: the rows of its table, and what stands beside them."""

from dataclasses import asdict, dataclass
from statistics import fmean

from unlearnable.bench.cell import Result
from unlearnable.bench.worst import WorstCase, advantage_of, worst_cases
from unlearnable.countermeasures import countermeasure_named
from unlearnable.images.budget import Pixels
from unlearnable.images.quality import Quality
from unlearnable.images.visibility import Visibility, VisibilitySummary
from unlearnable.pages.score import Score
from unlearnable.training.countermeasure import Advantage


@dataclass(frozen=True)
class AuditRow:
    """One countermeasure: the same training on clean and on published pictures.

    Attributes:
        countermeasure: as text.
        clean, protected: one result a seed.
        classes: indices of the protected classes where only some are; accuracy then means theirs.
    """

    countermeasure: str
    clean: tuple[Result, ...]
    protected: tuple[Result, ...]
    classes: tuple[int, ...] = ()

    @property
    def control(self) -> bool:
        """Whether it says nothing of the protection and counts nowhere: see `Countermeasure`."""
        return countermeasure_named(self.countermeasure).control

    @property
    def sees_published(self) -> bool:
        """Whether any published picture was trained on."""
        return countermeasure_named(self.countermeasure).sees_published

    @property
    def clean_final(self) -> Score:
        """Trained on clean pictures, after the last epoch."""
        return Score.of([result.final(self.classes) for result in self.clean])

    @property
    def clean_peak(self) -> Score:
        """Trained on clean pictures, after the best epoch."""
        return Score.of([result.peak(self.classes) for result in self.clean])

    @property
    def final(self) -> Score:
        """Trained on the published pictures, after the last epoch."""
        return Score.of([result.final(self.classes) for result in self.protected])

    @property
    def peak(self) -> Score:
        """Trained on the published pictures, after the best epoch."""
        return Score.of([result.peak(self.classes) for result in self.protected])


@dataclass(frozen=True)
class Sample:
    """A picture before and after, as the victim sees it.

    Attributes:
        name: its file.
        original, published: 8-bit pictures of one shape.
    """

    name: str
    original: Pixels
    published: Pixels


@dataclass(frozen=True)
class Wipe:
    """The most visible crop of a file at 100 %, before and after.

    Attributes:
        name: the file.
        ssimulacra2: of the crop, the lowest of the file's.
        original, published: 8-bit pictures of one shape.
    """

    name: str
    ssimulacra2: float
    original: Pixels
    published: Pixels


@dataclass(frozen=True)
class Spread:
    """A measure over files: RMS and L-inf in grey levels, PSNR in dB."""

    mean: float
    worst: float


@dataclass(frozen=True)
class PublishedFolder:
    """The published set.

    Attributes:
        count: pictures.
        qualities: of each, measured on the file as written against its original.
        budget: the one that its report promises, such as ``rms:8``; None where there is no report.
        over_budget: how many files break that promise.
        samples: a few pictures.
        ambiguous: files that were not measured, as their originals cannot be told by their names.
        visibilities: what people see of the files of a sample.
        wipes: the most visible of them.
    """

    count: int
    qualities: tuple[Quality, ...]
    budget: str | None
    over_budget: int
    samples: tuple[Sample, ...]
    ambiguous: tuple[str, ...] = ()
    visibilities: tuple[Visibility, ...] = ()
    wipes: tuple[Wipe, ...] = ()

    @property
    def visibility(self) -> VisibilitySummary | None:
        """Over the sample."""
        return VisibilitySummary.of(self.visibilities)

    def spread(self, measure: str) -> Spread | None:
        """Of ``rms``, ``linf``, ``psnr`` or ``ssim`` over the files that have it."""
        values = [value for quality in self.qualities if (value := getattr(quality, measure)) is not None]
        worst = max if measure in ("rms", "linf") else min
        return Spread(fmean(values), worst(values)) if values else None

    @property
    def summary(self) -> dict[str, object]:
        """Counts, and the measures' mean and worst."""
        spreads = {measure: self.spread(measure) for measure in ("rms", "linf", "psnr", "ssim")}
        return {
            "count": self.count,
            "budget": self.budget,
            "measured": len(self.qualities),
            "over_budget": self.over_budget,
            **{measure: asdict(spread) if spread else None for measure, spread in spreads.items()},
            "visibility": asdict(self.visibility) if self.visibility else None,
        }


@dataclass(frozen=True)
class Outcome:
    """Everything that the page shows.

    Attributes:
        classes: names.
        protected_classes: indices, where only some classes are protected; empty where all are.
        train_count, test_count: pictures that were trained and tested on.
        size: side of the published pictures in pixels.
        victim, recipe: as text; ``epochs`` is what the recipe means for an ordinary training here.
        seeds: how many trainings a row and set.
        rows: in the order of the countermeasures; those that have been trained.
        missing: countermeasures that were asked for and not trained, with the reason.
        published: the published set.
        command: what was typed.
        trained: side in pixels at which was trained, where that is another.
    """

    classes: tuple[str, ...]
    protected_classes: tuple[int, ...]
    train_count: int
    test_count: int
    size: int
    victim: str
    recipe: str
    epochs: int
    seeds: int
    rows: tuple[AuditRow, ...]
    missing: dict[str, str]
    published: PublishedFolder
    command: str
    trained: int | None = None

    @property
    def chance(self) -> float:
        """What guessing gives, over as many classes."""
        return 1 / len(self.classes)

    @property
    def counted(self) -> tuple[AuditRow, ...]:
        """The rows that are no controls."""
        return tuple(row for row in self.rows if not row.control)

    @property
    def means(self) -> dict[str, float]:
        """Over the rows that count, each the same however many seeds it has; empty without any."""
        figures = ("clean_final", "clean_peak", "final", "peak")
        return {name: fmean(getattr(row, name).mean for row in self.counted) for name in figures if self.counted}

    @property
    def worst_cases(self) -> dict[Advantage, WorstCase]:
        """What the most successful trainer got, by what he has beside the published pictures; controls do not count."""
        return worst_cases(
            WorstCase(advantage_of(row.countermeasure, self.victim), row.countermeasure, row.peak, row.clean_peak)
            for row in self.counted
        )

    def worst_first(self) -> list[AuditRow]:
        """Rows by how much of the content a trainer gets, the most first."""
        return sorted(self.rows, key=lambda row: -row.peak.mean)
