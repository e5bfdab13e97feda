"""The table of an audit as Markdown."""

from unlearnable.audit.facts import facts, means, points, quality_facts
from unlearnable.audit.outcome import Outcome
from unlearnable.audit.verdict import status
from unlearnable.bench.worst import IN_WORDS, WorstCase
from unlearnable.pages.text import MISSING, as_utf8, markdown_cell, percent, score


def markdown_table(outcome: Outcome) -> str:
    """The table of an audit in percent, worst row first; what was not measured, what was trained, the files' budget."""
    lines = [
        "| countermeasure | clean final | clean peak | published final | published peak | difference | status |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in outcome.worst_first():
        scores = [score(value) for value in (row.clean_final, row.clean_peak, row.final, row.peak)]
        cells = [
            markdown_cell(row.countermeasure),
            *scores,
            points(row.clean_peak, row.peak),
            status(row, outcome.chance),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for name, reason in outcome.missing.items():
        lines.append(f"| {markdown_cell(name)} | – | – | – | – | – | not measured: {markdown_cell(reason)} |")
    if outcome.counted:
        lines.append(f"| mean of {len(outcome.counted)} | {' | '.join(means(outcome))} | |")
    trained = _sentence(facts(outcome))
    worst = [_worst_line(case) for case in outcome.worst_cases.values()]
    if worst:
        lines += ["", "| a trainer with | worst countermeasure | published peak | clean peak | % of clean |"]
        lines += ["|---|---|---:|---:|---:|", *worst]
    files = f"Published files as written. {_sentence(quality_facts(outcome.published))}"
    return as_utf8("\n".join([*lines, "", trained, "", files]) + "\n")


def _worst_line(case: WorstCase) -> str:
    clean = score(case.clean) if case.clean else MISSING
    figures = [score(case.peak), clean, percent(case.share)]
    return f"| {IN_WORDS[case.advantage]} | {markdown_cell(case.countermeasure)} | {' | '.join(figures)} |"


def _sentence(found: list[tuple[str, str]]) -> str:
    """Facts as one line of Markdown."""
    return "; ".join(f"{what}: {markdown_cell(known)}" for what, known in found) + "."
