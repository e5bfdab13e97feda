"""The command line: parse, call, print. Heavy modules are imported inside the commands."""

from typing import Annotated

import typer

from unlearnable.cli import accuse, audit, bench, denoiser, folder, hider, names, page, report, reveal, semantics
from unlearnable.cli.console import documented, make_streams_tolerant, say, told

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
documented(app)(folder.protect)
documented(app)(folder.verify)
documented(app)(reveal.reveal)
documented(app)(semantics.secrets)
documented(app)(audit.audit)
documented(app)(bench.bench)
documented(app)(report.report)
documented(app)(audit.fit)
documented(app)(audit.export)
documented(app, "app")(page.page)
documented(app, "list")(names.list_names)
app.add_typer(accuse.app, name="accuse", **told(accuse.main))
app.add_typer(denoiser.app, name="denoiser", **told(denoiser.main))
app.add_typer(hider.app, name="hider", **told(hider.main))
app.add_typer(semantics.app, name="semantics", **told(semantics.main))


def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Hide a semantic image in every picture, so that a network trained on them learns what is hidden.

    Raises the cost of training a classifier from scratch on the published pictures. It stops no determined
    trainer, no pretrained backbone, and no one who holds clean copies.

    Example:
        unlearnable protect photos protected
    """
    if version:
        from unlearnable.storage.provenance import __version__

        say(__version__)
        raise typer.Exit


app.callback(invoke_without_command=True, help=told(main)["help"])(main)


def run() -> None:
    """The program `unlearnable`."""
    make_streams_tolerant()
    app()
