"""Show that a model was trained on your protected pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli.console import (
    PROBLEM,
    USAGE,
    Device,
    Json,
    SecretsOption,
    Weights,
    documented,
    errors,
    say,
    stages,
)
from unlearnable.options import LEVEL, QUERIES

if TYPE_CHECKING:
    from unlearnable.accuse.judge import Judgement

app = typer.Typer(no_args_is_help=True)
OwnersKey = Annotated[
    Path | None, typer.Option(help="The key with which they were protected; your settings' when left out.")
]
Clean = Annotated[
    Path,
    typer.Option(help="Clean pictures that were never published; of copies against backbones, a sub-folder a class."),
]
Originals = Annotated[
    Path | None,
    typer.Option(help="The folder that was protected; not for one class, --deal order, nor against backbones."),
]
Queries = Annotated[int, typer.Option("--budget-of-queries", min=1, help="Pictures that the model is shown, at most.")]
Level = Annotated[float, typer.Option(min=0.0001, max=0.5, help="The p-value to be reached; 0.01 takes 99 decoy keys.")]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help="CSV of class,answer: what the model calls your classes.")
]


@app.callback()
def main() -> None:
    """Show that a model was trained on your protected pictures: probes to show it, and a verdict on its answers.

    Example:
        unlearnable accuse model model.onnx --size 224 --protected protected --clean others --out accusation
    """


@documented(app)
def probe(
    protected: Annotated[Path, typer.Argument(help="The folder that protect wrote.")],
    clean: Clean,
    out: Annotated[Path, typer.Option(help="New folder for the probes.")],
    key: OwnersKey = None,
    originals: Originals = None,
    queries: Queries = QUERIES,
    level: Level = LEVEL,
    secrets: SecretsOption = "render",
    weights: Weights = None,
    device: Device = None,
) -> None:
    """Write pictures to show to a model, a template for its answers, and a sealed record of the test.

    Example:
        unlearnable accuse probe protected --clean other_photos --originals photos --out probes
    """
    from unlearnable.accuse.make import make_probes
    from unlearnable.accuse.sealed import PICTURES, SEALED, TEMPLATE
    from unlearnable.keys import default_key_file

    with errors(), stages() as on_stage:
        sealed = make_probes(
            protected,
            clean,
            key or default_key_file(),
            out,
            originals=originals,
            queries=queries,
            level=level,
            secrets=secrets,
            weights=weights,
            device=device,
            on_stage=on_stage,
        )
    say(f"{len(sealed.files)} pictures to show: {out / PICTURES}")
    if sealed.shown == "pairs":
        turns = sealed.extent.turns
        say(f"copies against backbones: clean pictures are shown as they are, {turns} of every class")
    say(f"write the answers into {out / TEMPLATE}, or a column for every class with its probability")
    say(f"keep {out / SEALED} to yourself until then; its seal, to deposit with somebody now: {sealed.seal}")
    if sealed.shown == "secrets":
        say("Whoever has seen probes can recognise them: show a set once.")


@documented(app)
def judge(
    probes: Annotated[Path, typer.Argument(help="The folder that accuse probe wrote.")],
    answers: Annotated[Path, typer.Argument(help="CSV: picture,answer; or picture and a column for every class.")],
    mapping: MappingFile = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the page; the probes' when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a model by its answers, and write a page about it.

    Exit codes: 0 shown, 1 not shown, 2 could not be tested.

    Example:
        unlearnable accuse judge probes probes/answers.csv
    """
    from unlearnable.accuse.answers import Answers
    from unlearnable.accuse.judge import judge_answers, read_mapping
    from unlearnable.accuse.sealed import Sealed

    with errors():
        sealed = Sealed.load(probes)
        sealed.check_pictures(probes)
        given = read_mapping(mapping) if mapping else None
        judgement = judge_answers(sealed, Answers.read(answers, sealed.files), given)
    _tell(judgement, out or probes, as_json)


@documented(app)
def model(
    suspect: Annotated[str, typer.Argument(help="FILE.onnx, or VICTIM@FILE.safetensors, such as resnet9@….")],
    protected: Annotated[Path, typer.Option(help="The folder that protect wrote.")],
    clean: Clean,
    out: Annotated[Path, typer.Option(help="Folder for the probes and the page.")],
    key: OwnersKey = None,
    originals: Originals = None,
    size: Annotated[int | None, typer.Option(min=1, help="Side in px of the pictures that the model takes.")] = None,
    mean: Annotated[str, typer.Option(help="Of an ONNX model: subtracted from values of 0 to 1; one, or R,G,B.")] = "0",
    std: Annotated[str, typer.Option(help="The same, by which they are divided; 0.00392157 for values to 255.")] = "1",
    mapping: MappingFile = None,
    queries: Queries = QUERIES,
    level: Level = LEVEL,
    secrets: SecretsOption = "render",
    weights: Weights = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Probe and judge a model that lies on this machine; probes that are in --out already are shown again.

    Exit codes: 0 shown, 1 not shown, 2 could not be tested.

    Example:
        unlearnable accuse model resnet9@m.safetensors --size 32 --protected protected --clean others --out accusation
    """
    from unlearnable.accuse.judge import judge_answers, read_mapping
    from unlearnable.accuse.make import probes_of
    from unlearnable.accuse.sealed import TEMPLATE
    from unlearnable.accuse.suspects import suspect_named
    from unlearnable.compute.devices import device_named
    from unlearnable.keys import default_key_file

    with errors(), stages() as on_stage:
        asked = suspect_named(suspect, size, _numbers(mean), _numbers(std), device_named(device))
        given = read_mapping(mapping) if mapping else None
        sealed = probes_of(
            protected,
            clean,
            key or default_key_file(),
            out,
            originals=originals,
            queries=queries,
            level=level,
            secrets=secrets,
            weights=weights,
            device=device,
            on_stage=on_stage,
        )
        answers = asked.ask(out, sealed, on_stage)
        answers.write(out / TEMPLATE, sealed.files)
        judgement = judge_answers(sealed, answers, given)
    _tell(judgement, out, as_json)


def _tell(judgement: "Judgement", out: Path, as_json: bool) -> None:
    """Write the page, say the verdict, and end with its exit code."""
    from dataclasses import asdict

    from unlearnable.accuse.page import PAGE, write_judgement
    from unlearnable.accuse.words import headline, sentences
    from unlearnable.cli.console import print_json

    with errors():
        write_judgement(judgement, out)
    if as_json:
        print_json(asdict(judgement))
    for sentence in (headline(judgement), *sentences(judgement)):
        say(sentence)
    say(f"the record's seal: {judgement.seal}")
    say(f"look at {out / PAGE}")
    code = {"shown": 0, "not shown": PROBLEM, "could not be tested": USAGE}[judgement.verdict]
    if code:
        raise typer.Exit(code)


def _numbers(text: str) -> tuple[float, ...]:
    """One number, or three with commas between them."""
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise ValueError(f"expected one number or three, R,G,B, got {text}")
    return numbers
