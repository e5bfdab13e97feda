"""Show what plans have measured."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import errors, say, say_aside


def report(
    plans: Annotated[list[Path], typer.Argument(help="What was to be measured, such as plans/table1_quick.yaml.")],
    runs: Annotated[Path, typer.Option(help="Folder that `bench` filled.")] = Path("runs"),
    pack: Annotated[
        Path | None, typer.Option(help="A file of `bench --pack`, in place of the folder; it has no figures.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.md, CSV files and figures.")] = Path(
        "report"
    ),
) -> None:
    """Set what has been measured beside the paper's figures: one page that opens offline, Markdown and CSV.

    Example:
        unlearnable report plans/table1_quick.yaml
    """
    from tempfile import TemporaryDirectory

    from unlearnable.bench.plan import Plan
    from unlearnable.bench.store import RunFolder
    from unlearnable.report.content import report_content
    from unlearnable.report.csv_files import csv_files
    from unlearnable.report.markdown import report_markdown
    from unlearnable.report.page import report_page
    from unlearnable.report.plots import frontier
    from unlearnable.storage.atomic import write

    with errors(), ExitStack() as kept:
        read = [Plan.read(plan) for plan in plans]
        if pack:
            found = RunFolder(Path(kept.enter_context(TemporaryDirectory())))
            found.unpack(pack)
        elif runs.is_dir():
            found = RunFolder(runs)
        else:
            raise ValueError(f"expected the folder of `unlearnable bench` as --runs, or a file as --pack; no {runs}")
        content = report_content(read, found)
        files: dict[str, str | bytes] = {"report.html": report_page(content), "report.md": report_markdown(content)}
        files |= csv_files(content) | {figure.file: figure.png for figure in content.illustrations}
        files |= {board.frontier_file: plot for board in content.leaderboards() if (plot := frontier(board))}
        out.mkdir(parents=True, exist_ok=True)
        for name, written in files.items():
            write(out / name, written)
    say_aside(found.corrupt())
    planned, measured = (sum(getattr(table, name) for table in content.tables) for name in ("planned", "measured"))
    drawn = [figure.name for figure in content.illustrations]
    for plan in read:
        if plan.figure and plan.name not in drawn:
            where = (
                f"a pack holds no figures, and {plan.file} draws one" if pack else f"{plan.file} has no figure of this"
            )
            say(f"{where}: `{plan.command}`")
    say(f"{measured} of {planned} trainings shown; look at {out / 'report.html'}")
