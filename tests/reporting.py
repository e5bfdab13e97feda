"""A plan whose records are made up, so that every figure of its report is known."""

from pathlib import Path

from unlearnable.bench.cell import Result
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import CLEAN, PlannedCell, TrainingSet
from unlearnable.bench.sets import SetQuality, SetRecord
from unlearnable.bench.store import RunFolder
from unlearnable.images.visibility import VisibilitySummary
from unlearnable.training.history import Epoch

PLAN = """
title: Made up <b>figures</b>
paper: table1
data:
  CIFAR-10: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: [resnet9]
recipe: quick
countermeasures: [vanilla, gray, "jpeg:quality=10", "at:steps=1,step=10"]
seeds: 2
grids:
  - protections: {Clean: clean, LSP: lsp, "Deep Hiding (C)": deep_hiding}
  - protections: {EM: "em:per=class,surrogate=resnet9"}
    countermeasures: [vanilla, gray]
    seeds: 1
  - protections: {LSP: lsp}
    budgets: ["linf:8"]
    countermeasures: [vanilla]
    seeds: 1
"""
SWEEP = """
title: JPEG sweep
data:
  CIFAR-10: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: [resnet9]
recipe: quick
countermeasures: ["jpeg:quality=10", "jpeg:quality=50", "jpeg:quality=90"]
protections: {Clean: clean, LSP: lsp, "Deep Hiding (C)": deep_hiding}
"""
CONTROLS = """
title: Controls
data:
  CIFAR-10: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: [resnet9]
recipe: quick
countermeasures: [vanilla, gray, "gaussf:sigma=0.2", only_clean]
protections: {Clean: clean, LSP: lsp, "Deep Hiding (C)": deep_hiding}
"""
WORST = """
title: Worst cases
data:
  CIFAR-10: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: [resnet9]
recipe: quick
countermeasures: [vanilla, "jpeg:quality=50", "jpeg:quality=90", mix, only_clean]
protections: {Clean: clean, LSP: lsp, Even: "lsp:patch=16", Deep Hiding (C): deep_hiding}
"""
DRAWING = """
title: Perturbation maps
figure: gradcam
data:
  CIFAR-10: {train: "toy:count=64", test: "toy:count=40,seed=1"}
victims: [resnet9]
recipe: quick
countermeasures: [vanilla]
protections: {Clean: clean, LSP: lsp, "Deep Hiding (C)": deep_hiding}
"""
ACCURACIES = {  # after the last epoch of the training with seed 0; one with another seed gets two points more
    ("Clean", "vanilla"): 0.80,
    ("Clean", "gray"): 0.70,
    ("Clean", "jpeg:quality=10"): 0.60,
    ("Clean", "at:steps=1,step=10"): 0.50,
    ("LSP", "vanilla"): 0.20,
    ("LSP", "gray"): 0.66,
    ("LSP", "jpeg:quality=10"): 0.58,
    ("LSP", "at:steps=1,step=10"): 0.48,
    ("Deep Hiding (C)", "vanilla"): 0.12,
    ("Deep Hiding (C)", "gray"): 0.14,
    ("Deep Hiding (C)", "jpeg:quality=10"): 0.30,  # and its adversarial training is missing
    ("Clean", "jpeg:quality=50"): 0.65,
    ("Clean", "jpeg:quality=90"): 0.75,
    ("LSP", "jpeg:quality=50"): 0.33,
    ("LSP", "jpeg:quality=90"): 0.22,
    ("Deep Hiding (C)", "jpeg:quality=50"): 0.15,
    ("Deep Hiding (C)", "jpeg:quality=90"): 0.13,
    ("Clean", "gaussf:sigma=0.2"): 0.80,
    ("Clean", "only_clean"): 0.90,
    ("LSP", "gaussf:sigma=0.2"): 0.90,
    ("LSP", "only_clean"): 0.90,
    ("Deep Hiding (C)", "gaussf:sigma=0.2"): 0.92,
    ("Deep Hiding (C)", "only_clean"): 0.90,
    ("EM", "vanilla"): 0.10,
    ("Clean", "mix"): 0.80,
    ("LSP", "mix"): 0.60,
    ("Even", "mix"): 0.55,
    ("Deep Hiding (C)", "mix"): 0.70,
    ("Even", "vanilla"): 0.15,  # the same worst case as LSP with the published pictures alone, and a lower mean
    ("Even", "jpeg:quality=50"): 0.33,
    ("Even", "jpeg:quality=90"): 0.10,
    ("EM", "gray"): 0.40,
}
PEAK = 0.05  # what every training had more in its best epoch


def plan_in(folder: Path, text: str = PLAN, name: str = "made_up") -> Path:
    """The file of a plan."""
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def filled(plan: Plan, folder: Path) -> RunFolder:
    """Runs that hold what `ACCURACIES` says, and nothing else."""
    runs = RunFolder(folder)
    for entry in plan.cells:
        for what in (entry.clean, TrainingSet(entry.test), entry.training):
            runs.sets.save(_made(what))
        if entry.budget or (entry.row, entry.countermeasure) not in ACCURACIES:
            continue
        if (entry.row, entry.seed) != ("LSP", 1):  # one of its seeds is missing
            runs.cells.save(_result(entry, runs))
    return runs


def _quality(protection: str) -> SetQuality:
    """That of EM was made when nobody measured what people see."""
    seen = {"lsp": 60.5, "lsp:patch=16": 50.5, "deep_hiding": 20.25}.get(protection)
    summary = VisibilitySummary(20, seen, seen - 10, seen - 20, seen - 20, 0.125) if seen else None
    return SetQuality("rms:8", 3, 5.25, 7.5, 21, 1024, 33.25, 0.9625, summary)


def _made(what: TrainingSet) -> SetRecord:
    test = "seed=1" in what.data
    protected = what.protection != CLEAN
    return SetRecord(
        what=what,
        clean="c1ea9",
        files="",
        fingerprint=what.key[:16],
        count=10_000,
        size=32,
        classes=10,
        measured=_quality(what.protection) if protected and not test else None,
        seconds=75.0,
        device="a made up processor",
        versions={"python": "3.11.2"},
    )


def _result(entry: PlannedCell, runs: RunFolder) -> Result:
    final = ACCURACIES[entry.row, entry.countermeasure] + 0.02 * entry.seed
    right = round(1000 * final)
    rows = tuple(
        tuple(right if a == b else (1000 - right if b == (a + 1) % 10 else 0) for b in range(10)) for a in range(10)
    )
    curve = [0.1, final + PEAK, final]
    cell = runs.cell(entry)
    assert cell
    return Result(
        cell=cell,
        epochs=tuple(Epoch(1.0, 0.9, accuracy, (accuracy,) * 10) for accuracy in curve),
        confusion=rows,
        peak_confusion=rows,
        seconds=61.5,
        device="a made up processor",
        versions={"python": "3.11.2", "torch": "2.11.0"},
    )
