"""The command line: parse, call, print. Heavy modules are imported inside the commands."""

from typing import Annotated

import typer

from unlearnable.cli import accuse, audit, bench, denoiser, folder, hider, names, page, report, semantics
from unlearnable.cli.console import say

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(folder.protect)
app.command()(folder.verify)
app.command()(folder.reveal)
app.command()(semantics.secrets)
app.command()(audit.audit)
app.command()(bench.bench)
app.command()(report.report)
app.command()(audit.fit)
app.command()(audit.export)
app.command("app")(page.page)
app.command("list")(names.list_names)
app.add_typer(accuse.app, name="accuse")
app.add_typer(denoiser.app, name="denoiser")
app.add_typer(hider.app, name="hider")
app.add_typer(semantics.app, name="semantics")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Hide a semantic image in every picture, so that a network trained on them learns what is hidden.

    Raises the cost of training a classifier from scratch on the published pictures. It stops no determined
    trainer, no pretrained backbone, and no one who holds clean copies.
    """
    if version:
        from unlearnable.storage.provenance import __version__

        say(__version__)
        raise typer.Exit
