"""Take the hidden pictures out of protected files, and say whose they are."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.compute.devices import device_named
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.hiding.inference import generation_of, prepare, reveal_secrets, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import Photo, UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import BESIDE, REPORT, output_names, scan
from unlearnable.keys import Key
from unlearnable.semantics.identify import MAX_GROUPS, Group, KeyScore, score_key
from unlearnable.semantics.secrets import RENDER, RenderedSecrets, Secrets, secrets_named
from unlearnable.storage.atomic import replacing

MAX_PICTURES = 200  # of a group whose mean is taken


@dataclass(frozen=True)
class Revelation:
    """What `reveal_folder` did.

    Attributes:
        revealed: protected file to the picture of its secret, both as paths.
        skipped: file to the reason why nothing was revealed.
        key_score: the score of the key, where one was given and any picture was revealed.
    """

    revealed: dict[str, str]
    skipped: dict[str, str]
    key_score: KeyScore | None


def reveal_folder(
    path: str | Path,
    out: str | Path,
    *,
    key: str | Path | None = None,
    secrets: str | Path = RENDER,
    secret_number: int = 0,
    working_size: int = 512,
    weights: str | Path | None = None,
    device: str | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> Revelation:
    """Reveal the secrets of one file, or of every picture below a folder, as PNGs in ``out``.

    Args:
        path: a protected file or folder. Secrets' numbers and working size come from the manifest in the folder (for a
            file: in the nearest folder above it that has one).
        out: where the pictures go; mirrors the folder.
        key: a key to score against 1,000 decoys.
        secrets: what the key decided in `protect_folder`: drawings, or the folder of a bank.
        secret_number: of the secret to assume in files that no manifest knows.
        working_size: the size to assume that they were protected with.
        weights: as for `protect_folder`; those of the report, where they ship, when None.
        device: torch device; CUDA where there is one when None.
        on_file: called with (files done, files in all) after every file.

    Raises:
        FileNotFoundError: ``path`` does not exist, or holds no file.
        ValueError: ``key`` is not a key, the report speaks of a method that hides nothing, or of other ``secrets`` or
            other drawings, or a picture would be written among the protected or over another.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import load, protect_folder, reveal_folder
        >>> load("toy:count=8").save(Path("photos"))  # pictures in class sub-folders
        >>> _ = protect_folder("photos", "protected", key="key", strength="full")
        >>> revelation = reveal_folder("protected", "secrets", key="key")
        >>> len(revelation.revealed), revelation.skipped, revelation.key_score.decoys
        (8, {}, 1000)
    """
    path, out = Path(path), Path(out)
    root, files = _files(path)
    destination = next((folder for folder in (root, *root.parents) if (folder / REPORT).is_file()), None)
    if out.resolve().is_relative_to(destination or root):
        raise ValueError(f"{out} lies inside {destination or root}; name an --out elsewhere")
    targets = {name: out / copy for name, copy in output_names(files, ".png", {}).items()}
    if existing := [target for target in targets.values() if target.exists()]:
        raise ValueError(f"{existing[0]} exists already; name another --out")
    report = _report(destination) if destination else None
    numbers = _numbers(destination) if destination else {}
    options = report.options if report else {}
    of_report = generation_of(report.weights) if report else None
    hider = Hider.load(weights_named(weights or of_report))
    claimed = claimed_secrets(key, secrets, hider, options.get("secrets")) if key is not None else None
    recorded_size = options.get("working_size", working_size)
    hider = prepare(hider, device_named(device))
    revealed, skipped = {}, {}
    groups: dict[Group, list[Path]] = defaultdict(list)
    for done, (name, target) in enumerate(targets.items(), 1):
        try:
            photo = read_photo(read_limited(root / name))
        except UnreadablePhotoError as unreadable:
            skipped[name] = str(unreadable)
        else:
            secret = reveal_photo(hider, photo, recorded_size)
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary:
                Image.fromarray(secret.transpose(1, 2, 0)).save(temporary, "PNG")
            revealed[name] = str(target)
            copy = (root / name).relative_to(destination or root).as_posix()
            groups[numbers.get(copy, secret_number), *secret.shape[1:]].append(target)
        if on_file:
            on_file(done, len(files))
    return Revelation(revealed, skipped, _score(claimed, groups) if claimed and groups else None)


def reveal_photo(hider: Hider, photo: Photo, working_size: int) -> UInt8[ndarray, "3 h w"]:
    """The secret in one photo, at its working size; ``hider`` is prepared."""
    stego = torch.from_numpy(working_picture(photo, working_size).copy())[None]
    return reveal_secrets(hider, stego)[0].numpy()


def _score(claimed: Secrets, groups: dict[Group, list[Path]]) -> KeyScore:
    """The score on the means of the most common groups, read again: kept, they would grow with the folder."""
    common = sorted(groups.items(), key=lambda group: -len(group[1]))[:MAX_GROUPS]
    return score_key(claimed, {group: _mean(claimed, files[:MAX_PICTURES]) for group, files in common})


def _mean(claimed: Secrets, files: list[Path]) -> Float[ndarray, "_ _"]:
    seen = (claimed.seen(read_photo(read_limited(file)).rgb.transpose(2, 0, 1)) for file in files)
    mean: Float[ndarray, "_ _"] = sum(seen, np.zeros(())) / len(files)
    return mean


def _files(path: Path) -> tuple[Path, list[str]]:
    """The resolved folder, and the names in it."""
    path = path.absolute()
    if path.is_file():
        return path.parent.resolve(), [path.name]
    if not path.is_dir():
        raise FileNotFoundError(f"expected a picture or a folder, got {path}")
    names = [file.name for file in scan(path) if not file.refused and file.name not in BESIDE]
    if not names:
        raise FileNotFoundError(f"expected pictures in {path}, found no file")
    return path.resolve(), names


def claimed_secrets(key: str | Path, secrets: str | Path, hider: Hider, recorded: str | None) -> Secrets:
    """The secrets that a key claims to have given.

    Args:
        key: the key file.
        secrets: ``render``, or the folder of a bank.
        hider: with the weights that are to have hidden them.
        recorded: the fingerprint of the report's secrets; None where there is no report.

    Raises:
        ValueError: they are not those of the report.
    """
    claimed = secrets_named(secrets, Key.read(key), hider.drawings)
    if recorded not in (None, claimed.fingerprint):
        if recorded.startswith(RENDER) and isinstance(claimed, RenderedSecrets):
            raise ValueError(
                f"the report speaks of the drawings {recorded}, and these weights hide {claimed.fingerprint}: name the "
                "--weights with which it was protected; without --key they are revealed all the same"
            )
        raise ValueError(
            f"expected secrets of {recorded}, as the report says, got {claimed.fingerprint}; name --secrets"
        )
    return claimed


def _report(destination: Path) -> Report:
    """Of a run that hid something."""
    report = Report.load(destination)
    if not report.hides:
        raise ValueError(f"nothing is hidden in the pictures of {destination}: they were protected by {report.method}")
    return report


def _numbers(destination: Path) -> dict[str, int]:
    """The secret's number of every copy that a manifest lists."""
    entries = read_manifest(destination).values()
    return {e.output: e.secret_number for e in entries if e.output and e.secret_number is not None}
