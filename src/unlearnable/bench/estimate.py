"""What a plan has still to do, and how long it takes, said before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from unlearnable.bench.plan_steps import MakeSet
from unlearnable.bench.steps import Step, Train
from unlearnable.bench.timing import StepTimes


@dataclass(frozen=True)
class Estimate:
    """What is still to be done.

    Attributes:
        asked: whether there are any steps, done or not.
        cells: to be trained.
        sets: to be made.
        seconds: of those of which something is known, one after the other.
        longest: of one of them, in seconds.
        rough: cells and sets that are judged by others, in proportion.
        unknown: cells and sets of which nothing is known.
    """

    asked: bool
    cells: int
    sets: int
    seconds: float
    longest: float
    rough: int
    unknown: int

    @classmethod
    def of(cls, steps: Sequence[Step], times: StepTimes) -> "Estimate":
        """Of the steps that are not done."""
        open_steps = [step for step in steps if step.timed and (step.stale or not step.done)]
        guesses = [guess for step in open_steps if (guess := step.guess(times))]
        return cls(
            asked=bool(steps),
            cells=sum(isinstance(step, Train) for step in open_steps),
            sets=sum(isinstance(step, MakeSet) for step in open_steps),
            seconds=sum(guess.seconds for guess in guesses),
            longest=max((guess.seconds for guess in guesses), default=0),
            rough=sum(not guess.alike for guess in guesses),
            unknown=len(open_steps) - len(guesses),
        )

    def line(self, workers: int) -> str:
        """In a line, for so many steps at a time."""
        steps = self.cells + self.sets
        if not steps:
            return "every cell has its result" if self.asked else "no cell is asked for"
        todo = f"{_counted(self.cells, 'cell')} to train, {_counted(self.sets, 'set')} to make"
        if self.unknown == steps:
            return f"{todo}: how long that takes is not known, as nothing like it has been measured here"
        hours, minutes = divmod(round(max(self.seconds / workers, self.longest) / 60), 60)
        line = f"{todo}: about {hours} h {minutes} min, judged by what has been measured"
        if self.rough:
            line += f" ({self.rough} of them by other victims or pictures, in proportion)"
        if self.unknown:
            line += f"; nothing is known of {self.unknown}, which come on top"
        return line


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
