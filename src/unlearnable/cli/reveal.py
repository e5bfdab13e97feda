"""Take hidden pictures out of protected ones, and say whose they are."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import (
    SKIPPED,
    USAGE,
    Device,
    Json,
    SecretsOption,
    Weights,
    errors,
    print_json,
    progress,
    say,
)

NAMED = 5  # objects, at most


def reveal(
    path: Annotated[Path, typer.Argument(help="A protected picture or folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the hidden pictures.")],
    key: Annotated[Path | None, typer.Option(help="Score this key against 1,000 decoys.")] = None,
    secrets: SecretsOption = "render",
    protected: Annotated[
        Path | None, typer.Option(help="Of a picture found somewhere: the folder of copies that it may be from.")
    ] = None,
    secret_number: Annotated[
        int | None,
        typer.Option(min=0, help="Secret to assume in files outside a manifest; all of --protected when left out."),
    ] = None,
    parts: Annotated[
        bool, typer.Option("--parts", help="Look for it in a picture that was cut, too; takes about a minute.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write what the network takes out, not the drawing that is read in it.")
    ] = False,
    working_size: Annotated[int, typer.Option(help="Working size to assume of them, in px.")] = 512,
    weights: Weights = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Take the hidden pictures out, and say how surely they are a key's.

    Example:
        unlearnable reveal protected --out secrets --key ~/.config/unlearnable/key
    """
    from unlearnable.folder.reveal import reveal_folder

    with errors(), progress("revealing") as on_file:
        revelation = reveal_folder(
            path,
            out,
            key=key,
            secrets=secrets,
            protected=protected,
            secret_number=secret_number,
            parts=parts,
            raw=raw,
            working_size=working_size,
            weights=weights,
            device=device,
            on_file=on_file,
        )
    if as_json:
        print_json(asdict(revelation))
    else:
        for name, reason in revelation.skipped.items():
            say(f"skipped {name}: {reason}")
        say(f"{len(revelation.revealed)} hidden pictures in {out}{objects_in_words(revelation.read)}")
        if score := revelation.key_score:
            say(f"{score.verdict} (p = {score.p_value:.4f}, {score.deviations:+.1f} standard deviations)")
    if not revelation.revealed:
        raise typer.Exit(USAGE)
    if revelation.skipped:
        raise typer.Exit(SKIPPED)


def objects_in_words(read: dict[str, str | None]) -> str:
    """In how many pictures a drawing was read, and of what."""
    if not read:
        return ""
    objects = Counter(name or "an unknown object" for name in read.values()).most_common()
    named = [f"{name} ({count})" for name, count in objects[:NAMED]]
    others = [f"others ({sum(count for _, count in objects[NAMED:])})"] if len(objects) > NAMED else []
    return f"; in {len(read)} of them a drawing was read: {', '.join(named + others)}"
