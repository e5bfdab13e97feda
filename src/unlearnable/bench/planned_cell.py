"""One cell of a plan, and the training set that it names, before anything is loaded."""

from dataclasses import dataclass, replace

from unlearnable.protections import Protection, protection_named
from unlearnable.registry import identity
from unlearnable.storage.records import key_of

CLEAN, REMAINDER = "clean", "remainder"  # in a protection's place: no picture protected, protected ones left out


@dataclass(frozen=True)
class TrainingSet:
    """What a victim is trained on: a data set of which a share has been protected.

    Attributes:
        data: as text that `load` takes.
        protection: as text; or ``clean``; or ``remainder``, what is left when a share is taken out.
        seed: of the protection, and of the draw of the share.
        share: of the pictures that are protected, above 0, at most 1; drawn at random.
    """

    data: str
    protection: str = CLEAN
    seed: int = 0
    share: float = 1.0

    @property
    def left(self) -> float:
        """Which part of the data set it holds: all of it, unless it is a remainder."""
        return 1 - self.share if self.protection == REMAINDER else 1.0

    @property
    def key(self) -> str:
        """Names it, however the same protection is spelled; which version made it, its record says."""
        return key_of(self.data, self.canonical, self.seed, self.share)

    @property
    def canonical(self) -> str:
        """Its protection, the same for all ways of writing it; see `identity`."""
        return self.protection if self.protecting is None else identity(self.protecting)

    @property
    def protecting(self) -> Protection | None:
        """The protection itself; None where no picture is protected."""
        return protecting(self.protection)

    @property
    def fully_protected(self) -> "TrainingSet | None":
        """The same with all pictures protected, where those of a share are taken from; None unless it is a share."""
        return replace(self, share=1.0) if self.share < 1 and self.protecting else None


@dataclass(frozen=True)
class PlannedCell:
    """One cell of a plan, before anything is loaded.

    Attributes:
        table: name of the data set in the plan.
        row: name of the protection in the plan.
        budget: on which the protection was projected anew; empty for its native one.
        training: what is trained on.
        test: the test set, as text.
        victim, countermeasure, recipe: as text.
        seed: of the training.
    """

    table: str
    row: str
    budget: str
    training: TrainingSet
    test: str
    victim: str
    countermeasure: str
    recipe: str
    seed: int

    @property
    def key(self) -> str:
        """Names it before its sets are made."""
        return key_of(self.training.key, self.test, self.victim, self.countermeasure, self.recipe, self.seed)

    @property
    def clean(self) -> TrainingSet:
        """The clean pictures of which the training set was made."""
        return TrainingSet(self.training.data)

    @property
    def name(self) -> str:
        """For progress and messages."""
        shared = f" {self.training.share:.0%}" if self.training.share < 1 else ""
        budget = f" {self.budget}" if self.budget else ""
        return f"{self.table} {self.row}{budget}{shared}, {self.countermeasure}, {self.victim}, seed {self.seed}"


def protecting(text: str) -> Protection | None:
    """The protection that a plan names; None where it says that no picture is protected."""
    return None if text in (CLEAN, REMAINDER) else protection_named(text)
