"""Protect a folder of pictures, and verify it."""

import shlex
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli.console import (
    PROBLEM,
    SKIPPED,
    USAGE,
    Device,
    Json,
    KeyFile,
    Ray,
    RayAddress,
    Weights,
    errors,
    print_json,
    progress,
    say,
    stages,
)
from unlearnable.options import Against, Ask, Classes, Deal, Format, Per, Platform, Strength

if TYPE_CHECKING:
    from unlearnable.folder.options import ProtectOptions
    from unlearnable.images.scan import Found

LISTED = 20
WORST = 3


# Options of protect whose defaults depend on the method.
BudgetOption = Annotated[
    str | None,
    typer.Option(help="rms:R or linf:R in grey levels, or l0:N in px, kept by the file; the method's when left out."),
]
PerOption = Annotated[
    Per | None,
    typer.Option(help="Of deep_hiding: one secret a class (when left out), or a variation of it in each picture."),
]
HiddenSecrets = Annotated[
    str | None, typer.Option(help="Of deep_hiding: render (when left out), or the folder of a bank.")
]
DealOption = Annotated[
    Deal | None,
    typer.Option(help="Of deep_hiding: give a class what its pictures resemble least (when left out), or in order."),
]
StrengthOption = Annotated[
    Strength | None,
    typer.Option(
        help="Of deep_hiding: how much of the budget is spent where people would see it: light, standard, strong, or "
        "all of it (full). Left out: standard; full where a --budget or parameters of the --method are named."
    ),
]
AgainstOption = Annotated[
    Against | None,
    typer.Option(
        help="Of deep_hiding: scratch (when left out), or backbones: against who starts from a pretrained network "
        "of the family that is asked, EfficientNet-Lite; takes some seconds a picture, and costs the protection "
        "against training from scratch."
    ),
]
AskOption = Annotated[
    Ask | None,
    typer.Option(
        help="What the copies' metadata asks of who collects pictures. Left out: no-training, unless the photo itself "
        "asks for something. Most platforms throw metadata away."
    ),
]
WorkingSize = Annotated[
    int | None,
    typer.Option(
        help="Long side of the picture that is perturbed, in px; 512 when left out; of panoramas the short side has "
        "half as many. Side of the square, for a method "
        "that looks at the whole set; the pictures' own when left out."
    ),
]
PlatformOption = Annotated[
    Platform | None,
    typer.Option(
        "--for",
        help="Bring each picture to the size that is served there before anything is hidden in it; web: your site.",
    ),
]
ClassesOption = Annotated[
    Classes | None,
    typer.Option(
        help="By sub-folders (folders), by what pictures show (auto), or all of one. When left out: folders; auto of a "
        "flat folder of 20 files or more."
    ),
]
GroupsOption = Annotated[
    int | None, typer.Option(min=2, help="So many, with --classes auto; the pictures decide when left out.")
]


def protect(
    src: Annotated[Path, typer.Argument(help="Pictures, in class sub-folders or in one folder; never changed.")],
    dst: Annotated[Path, typer.Argument(help="New folder for the copies, or that of a run to resume.")],
    method: Annotated[str, typer.Option(help="Of `unlearnable list`: NAME or NAME:parameter=value,….")] = "deep_hiding",
    key: KeyFile = None,
    platform: PlatformOption = None,
    classes: ClassesOption = None,
    groups: GroupsOption = None,
    strength: StrengthOption = None,
    against: AgainstOption = None,
    budget: BudgetOption = None,
    per: PerOption = None,
    secrets: HiddenSecrets = None,
    deal: DealOption = None,
    working_size: WorkingSize = None,
    format: Annotated[
        Format | None, typer.Option(help="png (when left out; jpeg for web) and webp are lossless.")
    ] = None,
    quality: Annotated[int | None, typer.Option(help="Of JPEG, 1 to 100; 90 when left out, or the platform's.")] = None,
    ask: AskOption = None,
    terms: Annotated[str | None, typer.Option(help="The same in your own words, for people to read.")] = None,
    strip_location: Annotated[
        bool, typer.Option("--strip-location", help="Leave out of the copies where they were taken.")
    ] = False,
    weights: Weights = None,
    device: Device = None,
    ray: Ray = False,
    ray_address: RayAddress = None,
    visibility: Annotated[
        str, typer.Option(help="Of how many files, from all over, what people see is measured: a number, all or none.")
    ] = "8",
) -> None:
    """Write copies that look nearly the same and teach a classifier something else, and proof of the budget.

    A semantic image is hidden in each; or another --method perturbs them, to compare.

    Example:
        unlearnable protect photos protected
    """
    from unlearnable.compute.devices import DivergedError
    from unlearnable.folder.ending import ending
    from unlearnable.folder.options import ProtectOptions
    from unlearnable.folder.protect import protect_folder
    from unlearnable.keys import default_key_file

    with errors():
        options = ProtectOptions(
            method=method,
            budget=budget,
            per=per,
            secrets=secrets,
            deal=deal,
            strength=strength,
            against=against,
            working_size=working_size,
            platform=platform,
            classes=classes,
            groups=groups,
            format=format,
            quality=quality,
            ask=ask,
            terms=terms,
            strip_location=strip_location,
            weights=weights,
        )
        jpeg = options.recorded()["format"] == "jpeg"
    if jpeg:
        say("Warning: JPEG alters the pictures after the budget was enforced; it is measured on the files.")
    with errors(DivergedError), stages() as on_stage:
        key_file = key.expanduser() if key else default_key_file()
        report = protect_folder(
            src,
            dst,
            options,
            key=key_file,
            device=device,
            ray=ray_address or ray,
            visibility=_count(visibility),
            on_found=lambda found: _say_before(src, dst, found, options, key_file),
            on_file=partial(on_stage, "protecting"),
            on_stage=on_stage,
        )
    for file in report.skipped[:LISTED]:
        say(f"skipped {file['file']}: {file['reason']}")
    if len(report.skipped) > LISTED:
        say(f"… and {len(report.skipped) - LISTED} more; all are in {dst / 'report.json'}")
    for line in ending(report, str(dst), key_file):
        say(line)
    if report.summary["protected"]:
        check = ["unlearnable", "verify", str(dst), "--original", str(src), "--visibility"]
        say(f"To check all of it, and what people see: {shlex.join(check)}")
    else:
        say(f"No picture in {src} could be read.")
        raise typer.Exit(USAGE)
    if report.skipped:
        raise typer.Exit(SKIPPED)


def verify(
    dst: Annotated[Path, typer.Argument(help="A folder that protect wrote.")],
    original: Annotated[Path, typer.Option(help="The folder it was made from.")],
    visibility: Annotated[
        bool,
        typer.Option("--visibility", help="Measure also what people see, of every file; a large photo takes seconds."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Recompute every figure of the manifest from the files, and say what does not hold.

    Example:
        unlearnable verify protected --original photos
    """
    from unlearnable.folder.verify import verify_folder
    from unlearnable.images.visibility import VisibilitySummary, described, in_words

    with errors(), progress("verifying") as on_file:
        verification = verify_folder(dst, original, visibility=visibility, on_file=on_file)
    summary = VisibilitySummary.of(list(verification.visibility.values()))
    if as_json:
        found = asdict(verification) | {"ok": verification.ok}
        seen = {"visibility": found.pop("visibility"), "visibility_summary": summary and asdict(summary)}
        print_json(found | (seen if visibility else {}))
    else:
        for file, problems in verification.violations.items():
            for problem in problems:
                say(f"{file}: {problem}")
        say(f"{verification.checked} files checked, {len(verification.violations)} with violations")
        if summary:
            say(f"Seen: {described(summary)}. Most visible:")
        for file in verification.most_visible[:WORST]:
            score = verification.visibility[file].worst_crop
            say(f"{file}: {in_words(score)} (SSIMULACRA2 at 100 % {score:.1f})")
    if not verification.ok:
        raise typer.Exit(PROBLEM)


def _count(files: str) -> int | None:
    """A number of files in figures or words; None for all."""
    if files in ("all", "none"):
        return {"all": None, "none": 0}[files]
    if not files.isdecimal():
        raise ValueError(f"expected of --visibility a number of files, all or none, got {files}")
    return int(files)


def _say_before(src: Path, dst: Path, found: list["Found"], options: "ProtectOptions", key_file: Path) -> None:
    """Say what is about to be made: a key, and how much."""
    from unlearnable.folder.ending import size_in_words
    from unlearnable.folder.space import Room

    room = Room.expected(src, dst, found, options)
    say(
        f"pictures: {len(found):,}, {size_in_words(room.originals)}; their copies will take about "
        f"{size_in_words(room.copies)}; {size_in_words(room.free)} are free"
    )
    if not key_file.exists():
        say(f"Making your key: {key_file}")
