"""The secrets: look at those of a key, build a bank of semantic images."""

from pathlib import Path
from typing import Annotated

import typer

from unlearnable.cli.console import Device, KeyFile, SecretsOption, documented, errors, progress, say
from unlearnable.options import Generator

TILE = 96  # px

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Banks of semantic images, to be hidden.

    Example:
        unlearnable semantics build --generator render --classes 10 --per-class 1 --out bank
    """


def secrets(
    out: Annotated[Path, typer.Argument(help="Picture to write.")],
    key: KeyFile = None,
    secrets: SecretsOption = "render",
    classes: Annotated[int, typer.Option(min=1, max=100, help="Rows, as far as the secrets go.")] = 10,
    variations: Annotated[int, typer.Option(min=1, max=50, help="Columns.")] = 6,
) -> None:
    """Draw a contact sheet of the secrets that a key gives. Keep it as private as the key.

    Example:
        unlearnable secrets sheet.png
    """
    from unlearnable.keys import Key, default_key_file
    from unlearnable.semantics.secrets import secrets_named
    from unlearnable.semantics.thumbnails import contact_sheet

    with errors():
        source = secrets_named(secrets, Key.open(key or default_key_file()))
        rows = range(min(classes, source.capacity))
        contact_sheet([[source.draw(row, column, TILE, TILE) for column in range(variations)] for row in rows]).save(
            out
        )
    say(f"{len(rows)} classes, {variations} variations of each: {out}")


@documented(app)
def build(
    out: Annotated[Path, typer.Option(help="Folder for the bank; resumes what it holds.")],
    classes: Annotated[int, typer.Option(help="Of the bank: as many as your pictures have, or more.")],
    per_class: Annotated[int, typer.Option(help="Pictures a class; 1 serves `protect --per class`.")],
    generator: Annotated[Generator, typer.Option(help="photo: no generation; render: no captions.")],
    captions: Annotated[Path | None, typer.Option(help=r"JSON {picture: \[caption, …]}, or CSV of COCO.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the captions' photographs.")] = None,
    embedder: Annotated[str, typer.Option(help="tfidf, or folder or hub id of a CLIP model.")] = "tfidf",
    clustering: Annotated[bool, typer.Option(help="Captions of distinct clusters, or random ones.")] = True,
    clusters: Annotated[int | None, typer.Option(help="Of captions.", show_default="four a class")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the pictures in px.")] = 512,
    diffusion: Annotated[str | None, typer.Option(help="Folder or hub id of Stable Diffusion.")] = None,
    controlnet: Annotated[str | None, typer.Option(help="Folder or hub id of a ControlNet for Canny edges.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of denoising.")] = 20,
    guidance: Annotated[float, typer.Option(help="Weight of the prompt.")] = 7.5,
    device: Device = None,
) -> None:
    """Choose a caption for every class, as different as can be, and draw pictures of it with one global shape.

    Example:
        unlearnable semantics build --captions captions.json --images photos --classes 10 --per-class 20
        --generator stylise --out bank
    """
    from unlearnable.semantics.bank import SHEET
    from unlearnable.semantics.build import build_bank
    from unlearnable.semantics.options import BankOptions

    with errors(), progress("drawing") as on_image:
        options = BankOptions(
            generator=generator,
            classes=classes,
            per_class=per_class,
            captions=captions,
            images=images,
            embedder=embedder,
            clustering=clustering,
            clusters=clusters,
            seed=seed,
            size=size,
            diffusion=diffusion,
            controlnet=controlnet,
            steps=steps,
            guidance=guidance,
        )
        bank = build_bank(out, options, device=device, on_image=on_image)
    if left_out := bank.options.get("without_picture"):
        say(f"{left_out} captions could serve no class: their photographs are not in {images}")
    for of_class in bank.classes if captions else ():
        say(f"{of_class.name.partition('_')[0]}: {of_class.caption} ({of_class.source})")
    measured = ", ".join(f"{name} {value:.3f}" for name, value in bank.distances.items() if value is not None)
    say(f"{classes} classes, {per_class} pictures of each; distances: {measured or 'none'}; look at {out / SHEET}")
