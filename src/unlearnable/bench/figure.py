"""The step that draws a plan's figure from the sets, and from the victims where it shows trained ones."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from jaxtyping import UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from unlearnable.bench.cell import Cell
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import PlannedCell, TrainingSet
from unlearnable.bench.steps import Call, Step, present
from unlearnable.bench.store import Notes
from unlearnable.countermeasures import countermeasure_named
from unlearnable.figures import Drawing, Panel, figure_named
from unlearnable.images.imageset import ImageSet
from unlearnable.registry import identity
from unlearnable.storage.atomic import write
from unlearnable.storage.records import key_of
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import network_of


@dataclass(eq=False)
class DrawFigure(Step):
    """Draw what a plan's ``figure`` names.

    Attributes:
        plan: whose cells are the panels.
    """

    in_this_process = True

    plan: Plan

    @property
    def done(self) -> bool:
        """It has been drawn from these sets and trainings."""
        notes = self.runs.notes(self.plan.name)
        return notes is not None and notes.key == figure_key(self.plan, self.runs.cell)

    def call(self) -> Call:
        """See `Step`."""
        return self._draw, ()

    def keep(self, answer: Drawing) -> str:
        """See `Step`."""
        file = self.runs.figure(self.plan.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        notes = Notes(self.plan.title, self.plan.command, figure_key(self.plan, self.runs.cell), answer.numbers)
        write(file, answer.png)
        write(file.with_suffix(".json"), json.dumps(asdict(notes), indent=1) + "\n")
        return f"look at {file}"

    def _draw(self) -> Drawing:
        return figure_named(self.plan.figure)(list(self._panels()))

    def _panels(self) -> Iterator[Panel]:
        """One of each training, or of each training set where nothing is trained."""
        for planned in _panel_cells(self.plan):
            cell = present(self.runs.cell(planned))
            clean, protected, test = (self.runs.stored_set(of).load() for of in (cell.clean, cell.train, cell.test))
            panel = Panel(planned.row, clean, protected, test, hidden=_hidden(planned.training, clean))
            if self.plan.trains:
                deployed = countermeasure_named(planned.countermeasure).deploy(test.images)
                panel = replace(
                    panel,
                    test=replace(test, images=deployed),
                    countermeasure=planned.countermeasure,
                    model=self._model(planned, cell, clean),
                )
            yield panel

    def _model(self, planned: PlannedCell, cell: Cell, clean: ImageSet) -> nn.Module:
        victim = countermeasure_named(planned.countermeasure).adjust_victim(victim_named(planned.victim))
        model = victim.build(len(clean.classes), clean.images.shape[-1])
        network_of(model).load_state_dict(load_file(self.runs.weights(cell)))
        return model.eval()


def _hidden(what: TrainingSet, clean: ImageSet) -> UInt8[Tensor, "n 3 h w"] | None:
    """What a set's protection hides, if it hides anything."""
    return what.protecting.hidden(clean, what.seed) if what.protecting else None


def figure_key(plan: Plan, cell: Callable[[PlannedCell], Cell | None]) -> str:
    """Names the sets and trainings that a plan's figure shows, and how it shows them.

    Args:
        plan: one with a figure.
        cell: the cell that is planned; None while one of its sets has not been made.
    """
    cells = [(planned.row, cell(planned)) for planned in _panel_cells(plan)]
    panels = [[row, of and of.key] for row, of in cells]
    return key_of(identity(figure_named(plan.figure)), panels)


def _panel_cells(plan: Plan) -> list[PlannedCell]:
    """The cells that are panels: all that are trained, or one of each set."""
    if plan.trains:
        return list(plan.cells)
    return list({planned.training: planned for planned in reversed(plan.cells)}.values())[::-1]
