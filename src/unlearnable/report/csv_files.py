"""A report as CSV files, one line a figure, for other programs; accuracies in percent, empty where there is none."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from unlearnable.bench.sets import SetQuality
from unlearnable.images.visibility import VisibilitySummary
from unlearnable.report.content import ReportContent
from unlearnable.report.tables import Summary, Table, TableRow
from unlearnable.training.countermeasure import ADVANTAGES


def csv_files(content: ReportContent) -> dict[str, str]:
    """The files by name: every accuracy, the leaderboards, the protected sets."""
    return {
        "accuracies.csv": _csv(line for table in content.tables for line in _accuracies(table)),
        "leaderboards.csv": _csv(_standings(content)),
        "sets.csv": _csv(_sets(content)),
    }


def _accuracies(table: Table) -> Iterable[dict[str, Any]]:
    for (row, column), field in table.fields.items():
        below, paper_below = table.below_clean(row, column)
        final, peak = field.final, field.peak
        yield {
            **_row(table, row),
            **asdict(column),
            "control": "yes" if column.control else "",
            "seeds": len(field.results),
            "seeds_asked": len(field.entries),
            "final": _percent(final.mean if final else None),
            "final_deviation": _percent(final.deviation if final else None),
            "peak": _percent(peak.mean if peak else None),
            "peak_deviation": _percent(peak.deviation if peak else None),
            "paper": _percent(field.paper),
            "difference": _percent(field.difference),
            "below_clean": _percent(below),
            "below_clean_paper": _percent(paper_below),
            "departures": "; ".join(table.departures()),
            "cells": " ".join(result.key for result in field.results),
        }


def _standings(content: ReportContent) -> Iterable[dict[str, Any]]:
    for number, board in enumerate(content.leaderboards(), 1):
        ranked = [(str(rank), *standing) for rank, standing in enumerate(board.ranked, 1)]
        for rank, row, summary in [*ranked, *(("", *standing) for standing in board.unprotected)]:
            yield {
                "board": number,
                **_row(board.table, row),
                "rank": rank,
                "columns": len(board.columns),
                **_summary(summary, board.table),
                **_worst_cases(summary),
                "ssimulacra2": _known(board.table.visibility(row)),
                "over": "; ".join(board.table.label(column) for column in board.columns),
            }


def _summary(summary: Summary, table: Table) -> dict[str, str]:
    return {
        "mean_final": _percent(summary.final),
        "mean_peak": _percent(summary.peak),
        "worst_final": _percent(summary.worst_final),
        "worst_peak": _percent(summary.worst_peak),
        "worst_peak_in": table.label(summary.worst),
        "paper_mean": _percent(summary.paper),
    }


def _worst_cases(summary: Summary) -> dict[str, str]:
    """Of each kind of trainer: the peak, its share of clean, and with what; empty where nobody was tried."""
    found = {}
    for advantage in ADVANTAGES:
        case = summary.worst_cases.get(advantage)
        found[f"worst_{advantage}"] = _percent(case.peak.mean if case else None)
        found[f"worst_{advantage}_of_clean"] = _percent(case.share if case else None)
        found[f"worst_{advantage}_in"] = case.countermeasure if case else ""
    return found


def _known(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _sets(content: ReportContent) -> Iterable[dict[str, Any]]:
    for protected in content.protected_sets:
        yield {
            "data": protected.data,
            "row": protected.row,
            "protection": protected.record.what.protection,
            "share": protected.record.what.share,
            **_quality(protected.measured),
            "pictures": protected.record.count,
            "size": protected.record.size,
            "seconds": protected.record.seconds,
            "device": protected.record.device,
            "fingerprint": protected.record.fingerprint,
        }


def _quality(measured: SetQuality) -> dict[str, Any]:
    """With the measures of visibility beside the others, empty where they were not taken."""
    found = asdict(measured)
    seen = found.pop("visibility") or {}
    return found | {field.name: seen.get(field.name, "") for field in fields(VisibilitySummary)}


def _row(table: Table, row: TableRow) -> dict[str, str]:
    where = {"plan": table.plan, "data": table.data}
    return where | {"row": row.name, "budget": row.budget, "protection": row.protection}


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.3f}"


def _csv(lines: Iterable[Mapping[str, Any]]) -> str:
    lines = list(lines)
    text = io.StringIO()
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return text.getvalue()
