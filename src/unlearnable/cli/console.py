"""What every command shares: options, exit codes, and how progress, errors and results are shown."""

import inspect
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypedDict, TypeVar

import typer

F = TypeVar("F", bound=Callable[..., Any])

PROBLEM, USAGE, SKIPPED = 1, 2, 3  # exit codes
LINE_EVERY = 30  # s between lines in a log
PACES = {
    "optimising": ("steps", 600),
    "training": ("cells", 1800),
}  # of a stage: of what, and over how many seconds; a step may take minutes


def _named(address: str | None) -> str | None:
    """An address that is not empty, as that of a variable which is not set would be."""
    if address == "":
        raise typer.BadParameter("expected HOST:PORT, got nothing")
    return address


class Told(TypedDict):
    """What typer is told of a command."""

    help: str
    short_help: str


def documented(app: typer.Typer, name: str | None = None) -> Callable[[F], F]:
    """Register a command under its own name, or under ``name``, with a help that begins with its example."""

    def register(function: F) -> F:
        app.command(name, **told(function))(function)
        return function

    return register


def told(function: Callable[..., Any]) -> Told:
    """``help`` and ``short_help`` of a command: its docstring, but that the example at its end comes first."""
    text, _, example = inspect.cleandoc(function.__doc__ or "").partition("\n\nExample:\n")
    paragraphs = [" ".join(paragraph.split()) for paragraph in (f"Example: {example}", *text.split("\n\n"))]
    return {"help": "\n\n".join(paragraphs), "short_help": paragraphs[1]}


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Weights = Annotated[
    str | None,
    typer.Option(help="Folder or hub id of weights, or a generation: first, second, or third, as when left out."),
]
Device = Annotated[str | None, typer.Option(help="Torch device; CUDA where there is one when left out.")]
Ray = Annotated[bool, typer.Option("--ray", help="Let the Ray cluster of RAY_ADDRESS do it, else one of this machine.")]
RayAddress = Annotated[
    str | None, typer.Option(callback=_named, help="Let the Ray cluster at this address do it, such as HOST:6379.")
]
SecretsOption = Annotated[str, typer.Option(help="render, or the folder of a bank of `semantics build`.")]
KeyFile = Annotated[Path | None, typer.Option(help="Your secret key, made on first use; your settings' when left out.")]


@contextmanager
def errors(also: type[Exception] = ValueError) -> Iterator[None]:
    """What the user can mend (names, places, disks) is one line and exit code 2; SIGTERM is an interruption."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (ValueError, OSError, also) as error:
        say(f"Error: {error}")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        say("Interrupted; the same command resumes.")
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar; what it yields is called with (files done, files in all)."""
    with stages() as on_stage:
        on_stage(what, 0, None)
        yield partial(on_stage, what)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar for each stage; what it yields is called with (what is being done, files or steps done, in all)."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")
    with Progress(*columns, TimeRemainingColumn(), console=console()) as bars:
        tasks: dict[str, TaskID] = {}

        def on_stage(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None, rate="")
            unit, bars.speed_estimate_period = PACES.get(what, ("files", 30))
            speed = bars.tasks[tasks[what]].speed
            bars.update(tasks[what], completed=done, total=total, rate=f"{speed:.1f} {unit}/s" if speed else "")
            if not bars.console.is_terminal and time.monotonic() > said[0] + LINE_EVERY:  # a log gets lines, no bar
                said[0] = time.monotonic()
                say(f"{what}: {done} of {total or '?'} {unit}")

        said = [time.monotonic()]
        yield on_stage


def command() -> str:
    """The command as typed, without the place of the program."""
    import shlex

    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def console() -> Any:
    """Where bars are drawn: standard error."""
    from rich.console import Console

    return Console(stderr=True)


def say(text: str) -> None:
    """Print a line to standard error; what is no UTF-8 in a name, or would steer a terminal, is escaped."""
    shown = os.fsencode(text).decode(errors="backslashreplace")
    print("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown), file=sys.stderr)


def make_streams_tolerant() -> None:
    """Let a terminal of any encoding print everything: what it does not know is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say_aside(files: Iterable[Path]) -> None:
    """Say which files were set aside because they hold no record."""
    for file in files:
        say(f"{file} is not the record of a set, a training or a figure; it was set aside, and what it was of is open")


def print_json(value: Any) -> None:
    """Print to standard output, for programs."""
    print(json.dumps(value, indent=2))
