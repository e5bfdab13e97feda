"""Every committed table is what the code makes of the records beside it, and those are of weights that ship."""

import json
import re
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from unlearnable.audit.markdown import markdown_table
from unlearnable.audit.outcome import AuditRow, Outcome, PublishedFolder
from unlearnable.audit.verdict import verdict
from unlearnable.bench.cell import Result
from unlearnable.bench.figure import figure_key
from unlearnable.bench.plan import Plan
from unlearnable.bench.store import RunFolder
from unlearnable.hiding.inference import DEFAULT, weights_named
from unlearnable.hiding.network import WEIGHTS
from unlearnable.images.quality import Quality
from unlearnable.protections import protection_named
from unlearnable.report.content import report_content
from unlearnable.report.markdown import report_markdown
from unlearnable.storage.provenance import __version__, file_fingerprint
from unlearnable.storage.records import Store

RESULTS = Path("results")
AUDITS = sorted(file.parent for file in RESULTS.rglob("audit.json"))
CLEAN = RESULTS / "cifar10_quick"  # whose trainings all audits share
THE_DEFAULT_OF = {"0.1.0": "first", "0.2.0": "second", "0.3.0": "third", "0.4.0": "third", __version__: DEFAULT}


@pytest.mark.parametrize("pack", sorted(RESULTS.glob("*.jsonl")), ids=lambda pack: pack.stem)
def test_a_report_is_made_again_from_its_pack(pack, tmp_path):
    written = pack.with_suffix(".md").read_text()
    command = next(line.strip("`") for line in written.splitlines() if line.startswith("`unlearnable bench"))
    runs = RunFolder(tmp_path)
    runs.unpack(pack)
    assert report_markdown(report_content([Plan.read(command.split()[-1])], runs)) == written


@pytest.mark.parametrize("folder", AUDITS, ids=str)
def test_an_audit_is_made_again_from_its_cells(folder):
    summary = json.loads((folder / "audit.json").read_text())
    outcome = audited(folder, summary)
    assert markdown_table(outcome) == (folder / "audit.md").read_text()
    assert summary["means"] == pytest.approx(outcome.means, abs=1e-12)
    assert summary["verdict"] == verdict(outcome)
    for row in outcome.rows:
        scores = {name: asdict(getattr(row, name)) for name in summary["rows"][row.countermeasure]}
        assert summary["rows"][row.countermeasure] == scores


def audited(folder: Path, summary: dict) -> Outcome:
    """The outcome that an ``audit.json`` sums up, from the cells beside it and those of clean pictures."""
    protected, clean = results(folder), results(CLEAN)
    seeds = range(summary["seeds"])
    rows = [
        AuditRow(name, *(tuple(side[name, seed] for seed in seeds) for side in (clean, protected)))
        for name in summary["rows"]
    ]
    settings = ["train_count", "test_count", "size", "victim", "recipe", "epochs", "seeds", "missing", "command"]
    return Outcome(
        classes=tuple(summary["classes"]),
        protected_classes=tuple(summary["protected_classes"]),
        rows=tuple(rows),
        published=published(summary["published"]),
        **{name: summary[name] for name in settings},
    )


def results(folder: Path) -> dict[tuple[str, int], Result]:
    """Trainings by countermeasure and seed."""
    loaded = Store(folder / "cells", Result).all()
    assert len({result.key for result in loaded}) == len(list((folder / "cells").iterdir()))
    return {(result.cell.countermeasure, result.cell.seed): result for result in loaded}


def published(summary: dict) -> PublishedFolder:
    """Files whose measures have the recorded mean and worst: one the worst, the others alike."""
    count = summary["measured"]
    worst = {name: summary[name]["worst"] for name in ("rms", "psnr", "ssim")}
    others = {name: (count * summary[name]["mean"] - worst[name]) / (count - 1) for name in worst}
    linf = {"linf": summary["linf"]["worst"]}  # its mean is not printed
    qualities = (Quality(**linf, **worst), *[Quality(**linf, **others)] * (count - 1))
    return PublishedFolder(summary["count"], qualities, summary["budget"], summary["over_budget"], ())


@cache
def fingerprint(*files: Path) -> str:
    return file_fingerprint(files)


@pytest.mark.parametrize("pack", sorted(RESULTS.glob("*.jsonl")), ids=lambda pack: pack.stem)
def test_results_are_of_the_weights_that_ship(pack):
    for record in map(json.loads, pack.read_text().splitlines()):
        if "what" in record:
            name, used, version = record["what"]["protection"], record["files"], record["version"]
        else:
            name, used, version = record["cell"]["countermeasure"], record["cell"]["weights"], record["cell"]["version"]
        if name.startswith(("deep_hiding", "reveal", "inverse")) and not re.search("weights=|secrets=|@", name):
            surrogates = protection_named(name).find_files()[1:] if "pull=" in name else ()
            assert used == fingerprint(weights_named(THE_DEFAULT_OF[version]) / WEIGHTS, *surrogates), name


def pictures_of(table: Path) -> list[str]:
    return re.findall(r"!\[[^]]*\]\(<?([^)>]+)>?\)", table.read_text())


def test_the_pictures_of_a_table_lie_beside_it():
    tables = {table: pictures_of(table) for table in RESULTS.glob("*.md")}
    assert any(tables.values())
    assert [name for names in tables.values() for name in names if not (RESULTS / name).is_file()] == []


def test_every_result_is_cited():
    """By a page, a plan or a benchmark; an audit's and a report's records lie beside the table that is."""
    texts = [file.read_text() for pattern in ("*.md", "docs/*.md") for file in Path().glob(pattern)]
    cited = set(re.findall(r"results/[\w./]*\w", " ".join(texts)))
    cited |= {str(RESULTS / name) for table in RESULTS.glob("*.md") for name in pictures_of(table)}
    for file in RESULTS.rglob("*"):
        beside_a_table = file.suffix == ".jsonl" or file.name == "audit.json"
        if file.is_file() and file.parent.name != "cells":
            assert str(file.with_suffix(".md") if beside_a_table else file) in cited


@pytest.fixture(scope="module")
def all_packs(tmp_path_factory):
    """Of a set that several versions made, the record of the first pack is read: one of the paper's tables."""
    runs = RunFolder(tmp_path_factory.mktemp("runs"))
    for pack in sorted(RESULTS.glob("*.jsonl"), key=lambda pack: (not pack.stem.startswith("table"), pack.stem)):
        runs.unpack(pack)
    return runs


@pytest.mark.parametrize("notes", sorted(RESULTS.glob("figure*.json")), ids=lambda notes: notes.stem)
def test_a_figure_shows_the_sets_and_trainings_of_the_packs(notes, all_packs):
    figure, plan = json.loads(notes.read_text()), Plan.read(f"plans/{notes.stem}.yaml")
    assert figure["command"] == f"unlearnable bench {plan.file}"

    def cell(entry):
        trained = all_packs.found(entry)
        return trained and trained.cell

    assert figure["key"] == figure_key(plan, cell if plan.trains else all_packs.cell)
