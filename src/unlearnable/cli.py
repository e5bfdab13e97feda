"""The command line: parse, call, print. Heavy modules are imported inside the commands."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
hider = typer.Typer(no_args_is_help=True, help="The invertible network that hides.")
app.add_typer(hider, name="hider")

PROBLEM, USAGE, SKIPPED = 1, 2, 3  # exit codes
LISTED = 20


class Per(StrEnum):
    """Whether the pictures of a class share one secret."""

    CLASS = "class"
    SAMPLE = "sample"


class Format(StrEnum):
    """Of the protected files."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Weights = Annotated[str | None, typer.Option(help="Folder or hub id of weights; those that ship when left out.")]
Device = Annotated[str | None, typer.Option(help="Torch device; CUDA where there is one when left out.")]
KeyFile = Annotated[Path | None, typer.Option(help="Your secret key, made on first use [default: in your settings].")]


@app.command()
def protect(
    src: Annotated[Path, typer.Argument(help="Pictures, in class sub-folders or of one class; never changed.")],
    dst: Annotated[Path, typer.Argument(help="New folder for the copies, or that of a run to resume.")],
    key: KeyFile = None,
    budget: Annotated[str, typer.Option(help="rms:R or linf:R, in grey levels, kept by the written file.")] = "rms:8",
    per: Annotated[Per, typer.Option(help="One secret a class, or a variation of it in each picture.")] = Per.CLASS,
    working_size: Annotated[int, typer.Option(help="Long side of the picture in which is hidden, in px.")] = 512,
    format: Annotated[Format, typer.Option(help="png and webp are lossless.")] = Format.PNG,
    quality: Annotated[int, typer.Option(help="Of JPEG, 1 to 100.")] = 90,
    metadata: Annotated[bool, typer.Option(help="Ask in the file's metadata not to be mined.")] = True,
    weights: Weights = None,
    device: Device = None,
) -> None:
    """Write copies that look the same, each with a semantic image hidden in it, and proof of the budget."""
    from unlearnable.folder.protect import protect_folder

    if format == Format.JPEG:
        _say("Warning: JPEG alters the pictures after the budget was enforced; it is measured on the files.")
    with _errors(), _progress("protecting") as on_file:
        report = protect_folder(
            src,
            dst,
            key=key,
            budget=budget,
            per=per.value,
            working_size=working_size,
            format=format.value,
            quality=quality,
            metadata=metadata,
            weights=weights,
            device=device,
            on_file=on_file,
        )
    for file in report.skipped[:LISTED]:
        _say(f"skipped {file['file']}: {file['reason']}")
    if len(report.skipped) > LISTED:
        _say(f"… and {len(report.skipped) - LISTED} more; all are in {dst / 'report.json'}")
    _say(_summary(report.summary, dst))
    _say(f"key {report.key}, weights {report.weights[:16]}")
    if not report.summary["protected"]:
        _say(f"No picture in {src} could be read.")
        raise typer.Exit(USAGE)
    if report.skipped:
        raise typer.Exit(SKIPPED)


@app.command()
def verify(
    dst: Annotated[Path, typer.Argument(help="A folder that protect wrote.")],
    original: Annotated[Path, typer.Option(help="The folder it was made from.")],
    as_json: Json = False,
) -> None:
    """Recompute every figure of the manifest from the files, and say what does not hold."""
    from unlearnable.folder.verify import verify_folder

    with _errors(), _progress("verifying") as on_file:
        verification = verify_folder(dst, original, on_file=on_file)
    if as_json:
        _print_json(asdict(verification) | {"ok": verification.ok})
    else:
        for file, problems in verification.violations.items():
            for problem in problems:
                _say(f"{file}: {problem}")
        _say(f"{verification.checked} files checked, {len(verification.violations)} with violations")
    if not verification.ok:
        raise typer.Exit(PROBLEM)


@app.command()
def reveal(
    path: Annotated[Path, typer.Argument(help="A protected picture or folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the hidden pictures.")],
    key: Annotated[Path | None, typer.Option(help="Score this key against 1,000 decoys.")] = None,
    class_index: Annotated[int, typer.Option(help="Class to assume of files outside a manifest.")] = 0,
    working_size: Annotated[int, typer.Option(help="Working size to assume of them, in px.")] = 512,
    weights: Weights = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Take the hidden pictures out, and say how surely they are a key's."""
    from unlearnable.folder.reveal import reveal_folder

    with _errors(), _progress("revealing") as on_file:
        revelation = reveal_folder(
            path,
            out,
            key=key,
            class_index=class_index,
            working_size=working_size,
            weights=weights,
            device=device,
            on_file=on_file,
        )
    if as_json:
        _print_json(asdict(revelation))
    else:
        for name, reason in revelation.skipped.items():
            _say(f"skipped {name}: {reason}")
        _say(f"{len(revelation.revealed)} hidden pictures in {out}")
        if score := revelation.key_score:
            _say(
                f"this key fits better than {score.beaten} of {score.decoys} decoys "
                f"(p = {score.p_value:.4f}, {score.deviations:+.1f} standard deviations)"
            )
    if not revelation.revealed:
        raise typer.Exit(USAGE)
    if revelation.skipped:
        raise typer.Exit(SKIPPED)


@app.command()
def secrets(
    out: Annotated[Path, typer.Argument(help="Picture to write.")],
    key: KeyFile = None,
    classes: Annotated[int, typer.Option(min=1, max=100, help="Rows.")] = 10,
    variations: Annotated[int, typer.Option(min=1, max=50, help="Columns.")] = 6,
) -> None:
    """Draw a contact sheet of the secrets that a key gives. Keep it as private as the key."""
    from unlearnable.keys import Key, default_key_file
    from unlearnable.semantics.render import contact_sheet

    with _errors():
        contact_sheet(Key.open(key or default_key_file()), classes, variations).save(out)
    _say(f"{classes} classes, {variations} variations of each: {out}")


@app.command()
def audit(
    protected: Annotated[Path, typer.Argument(help="The published pictures, in class sub-folders.")],
    clean_train: Annotated[str, typer.Option(help="Folder of the originals, or a data set such as cifar10:root=….")],
    clean_test: Annotated[str, typer.Option(help="The same of pictures that nobody trains on.")],
    out: Annotated[Path, typer.Option(help="Folder for the page and the results; resumes what it holds.")],
    countermeasures: Annotated[str, typer.Option(help="table1, all, or NAME+NAME,NAME:parameter=value,…")] = "table1",
    victim: Annotated[str, typer.Option(help="The classifier, or any timm name.")] = "resnet9",
    recipe: Annotated[str, typer.Option(help="quick is for CPUs, paper is the paper's.")] = "quick",
    seeds: Annotated[int, typer.Option(help="Trainings a cell.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Start no training that would end later.")] = None,
    size: Annotated[int | None, typer.Option(help="Side in px [default: the pictures' own, at most 224].")] = None,
    backbone: Annotated[str | None, typer.Option(help="Pretrained weights of the victim, as safetensors.")] = None,
    device: Device = None,
) -> None:
    """Measure what somebody gets who trains on the published pictures, and write a page about it."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from unlearnable.audit.run import CELLS, PAGE, audit_folder
    from unlearnable.audit.run import Progress as Now
    from unlearnable.audit.verdict import verdict
    from unlearnable.cells import Store

    shown = TextColumn("{task.description}", markup=False)
    columns = TextColumn("training {task.fields[cell]}"), BarColumn(20), shown
    # Epochs are far between: the pace is taken over half an hour.
    progress = Progress(*columns, TimeRemainingColumn(), console=_console(), speed_estimate_period=1800)
    with _errors(), progress:
        task = progress.add_task("reading the pictures", total=None, cell="")

        def on_progress(now: Now) -> None:
            text = now.what + (f" {now.accuracy:.1%}" if now.accuracy is not None else "")
            progress.update(task, description=text, completed=now.done, total=now.total, cell=f"{now.cell}/{now.cells}")
            if not progress.console.is_terminal and now.accuracy is None:  # a log file gets lines, not a bar
                _say(f"training {now.cell}/{now.cells}: {now.what}")

        outcome = audit_folder(
            protected,
            clean_train,
            clean_test,
            out,
            countermeasures=countermeasures,
            victim=victim,
            recipe=recipe,
            seeds=seeds,
            minutes=minutes,
            size=size,
            backbone=backbone,
            device=device,
            command=_command(),
            on_progress=on_progress,
        )
    for file in Store(out / CELLS).corrupt():
        _say(f"{file} is no result of its training; it was set aside, and the training done again")
    for name, reason in outcome.missing.items():
        _say(f"not measured: {name}: {reason}")
    for sentence in verdict(outcome):
        _say(sentence)
    _say(f"look at {out / PAGE}")
    if not outcome.rows:
        raise typer.Exit(USAGE)
    if outcome.missing:
        raise typer.Exit(SKIPPED)


@app.command()
def fit(
    train: Annotated[str, typer.Argument(help="Data set to train on, such as folder:path=photos,size=64.")],
    test: Annotated[str, typer.Argument(help="Data set to test on.")],
    out: Annotated[Path, typer.Option(help="File for the weights, as safetensors: a backbone for audit.")],
    countermeasure: Annotated[str, typer.Option(help="NAME, NAME:parameter=value, or NAME+NAME.")] = "vanilla",
    victim: Annotated[str, typer.Option(help="The classifier, or any timm name.")] = "resnet9",
    recipe: Annotated[str, typer.Option(help="quick or paper.")] = "quick",
    seed: int = 0,
    device: Device = None,
) -> None:
    """Train one classifier and keep its weights."""
    from unlearnable.countermeasures import countermeasure_named
    from unlearnable.devices import device_named
    from unlearnable.images import load
    from unlearnable.recipes import recipe_named
    from unlearnable.training import DivergedError, Epoch, fit
    from unlearnable.victims import save_weights, victim_named

    def on_epoch(epoch: int, epochs: int, now: Epoch) -> None:
        _say(f"epoch {epoch}/{epochs}  train {now.train_accuracy:.1%}  test {now.test_accuracy:.1%}")

    with _errors(DivergedError):
        if out.is_dir():
            raise ValueError(f"expected a file to write the weights to, got the folder {out}")
        out.parent.mkdir(parents=True, exist_ok=True)
        trained = fit(
            victim_named(victim),
            load(train),
            load(test),
            countermeasure_named(countermeasure),
            recipe_named(recipe),
            seed,
            device=device_named(device),
            on_epoch=on_epoch,
        )
        save_weights(trained.model, out)
    _say(f"final {trained.final:.1%}, peak {trained.peak:.1%}: {out}")


@app.command()
def export(
    data: Annotated[str, typer.Argument(help="Data set, such as cifar10:root=…,split=test.")],
    out: Annotated[Path, typer.Argument(help="New folder for PNGs in class sub-folders.")],
) -> None:
    """Write a data set as a folder of pictures."""
    from unlearnable.images import load

    with _errors():
        pictures = load(data)
        pictures.save(out)
    _say(f"{len(pictures)} pictures of {len(pictures.classes)} classes: {out}")


@app.command("list")
def list_names(as_json: Json = False) -> None:
    """Every registered name, with its parameters and their defaults."""
    from unlearnable.registries import everything

    names = everything()
    if as_json:
        _print_json(names)
        return
    for kind, members in names.items():
        _say(f"{kind}: {'' if members else 'none yet'}")
        for name, parameters in members.items():
            shown = ", ".join(f"{key}={'…' if value is None else value}" for key, value in parameters.items())
            _say(f"  {name}{':' if shown else ''}{shown}")


@hider.command()
def train(
    covers: Annotated[list[Path], typer.Option(help="Folder of photographs; may be given again.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights; resumes what it holds.")],
    secrets: Annotated[list[str], typer.Option(help="'render', or folders of pictures.")] = ["render"],  # noqa: B006
    steps: int = 3200,
    blocks: Annotated[int, typer.Option(help="The paper's network has 16.")] = 4,
    growth: Annotated[int, typer.Option(help="The paper's network has 32.")] = 24,
    learning_rate: Annotated[float, typer.Option(help="Adam's (paper: 3.2e-5).")] = 1e-3,
    eps: Annotated[float, typer.Option(help="RMS budget in grey levels.")] = 8.0,
    hiding: Annotated[float, typer.Option(help="Weight of eq. 5.")] = 20.0,
    low_frequency: Annotated[float, typer.Option(help="Weight omega_1.")] = 1.0,
    revealing: Annotated[float, typer.Option(help="Weight omega_2.")] = 1.0,
    seed: int = 0,
    device: Device = None,
) -> None:
    """Train the hiding network on your own pictures."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from unlearnable.hiding.recipe import Recipe
    from unlearnable.hiding.train import DivergedError, train

    recipe = Recipe(
        blocks=blocks,
        growth=growth,
        steps=steps,
        learning_rate=learning_rate,
        eps=eps,
        hiding=hiding,
        low_frequency=low_frequency,
        revealing=revealing,
        seed=seed,
    )
    columns = TextColumn("step {task.completed}/{task.total}"), BarColumn(20), TextColumn("{task.description}")
    with _errors(DivergedError), Progress(*columns, TimeRemainingColumn(), console=_console()) as progress:
        task = progress.add_task("", total=steps)
        source = "render" if secrets == ["render"] else secrets
        for now in train(recipe, covers, source, out, device):
            text = f"RMS {now.rms:.2f}  stego {now.stego_psnr:.1f} dB  secret {now.secret_psnr:.1f} dB"
            text += f"  rolled back {now.rollbacks} times" if now.rollbacks else ""
            progress.update(task, completed=now.step + 1, description=text)
            if not progress.console.is_terminal and now.step % 100 == 0:  # a log file gets lines, not a bar
                _say(f"step {now.step}/{steps}  {text}  {progress.tasks[0].time_remaining or 0:.0f} s left")
    _say(f"weights and training.png: {out}")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Hide a semantic image in every picture, so that a network trained on them learns what is hidden.

    Raises the cost of training a classifier from scratch on the published pictures. It stops no determined
    trainer, no pretrained backbone, and no one who holds clean copies.
    """
    if version:
        from unlearnable.version import __version__

        _say(__version__)
        raise typer.Exit


def _summary(summary: dict[str, Any], dst: Path) -> str:
    text = f"{summary['protected']} protected, {summary['skipped']} skipped"
    if "rms" in summary:
        text += (
            f"; RMS {summary['rms']['mean']:.2f} (at most {summary['rms']['max']:.2f}), "
            f"L-inf at most {summary['linf_max']}, SSIM {summary['ssim']['mean']:.3f}; "
            f"{summary['over_budget']} over budget"
        )
    return f"{text}: {dst / 'report.json'}"


@contextmanager
def _errors(also: type[Exception] = ValueError) -> Iterator[None]:
    """What the user can mend (names, places, disks) is one line and exit code 2."""
    try:
        yield
    except (ValueError, OSError, also) as error:
        _say(f"Error: {error}")
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        _say("Interrupted; the same command resumes.")
        raise typer.Exit(130) from None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")
    with Progress(*columns, TimeRemainingColumn(), console=_console()) as progress:
        task = progress.add_task(what, total=None, rate="")

        def on_file(done: int, total: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, total=total, rate=f"{speed:.1f} files/s" if speed else "")

        yield on_file


def _command() -> str:
    """The command as typed, without the place of the program."""
    import shlex

    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def _say(text: str) -> None:
    """Print to standard error; names that are not UTF-8 are shown escaped."""
    print(os.fsencode(text).decode(errors="backslashreplace"), file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))
