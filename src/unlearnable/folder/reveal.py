"""Take the hidden pictures out of protected files, and say whose they are."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.compute.devices import device_named
from unlearnable.folder.cropped import Shape, score_part
from unlearnable.folder.found import Gathered, ways_of
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.hiding.inference import (
    generation_of,
    prepare,
    reveal_secret,
    weights_digest,
    weights_named,
    weights_recorded,
)
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import REPORT, output_names, scan
from unlearnable.keys import Key
from unlearnable.semantics.identify import CONVINCING, KeyScore
from unlearnable.semantics.reading import CLEAR, Reading, read_drawing
from unlearnable.semantics.secrets import RENDER, RenderedSecrets, Secrets, secrets_named, style_recorded
from unlearnable.storage.atomic import replacing

MOST_SHAPES = 2  # of working pictures in which parts are looked for


@dataclass(frozen=True)
class Revelation:
    """What `reveal_folder` did.

    Attributes:
        revealed: protected file to the picture of its secret, both as paths.
        read: those in which a drawing was read, to the name of its object; None where no object was known again. The
            others show what the network takes out.
        skipped: file to the reason why nothing was revealed.
        key_score: the score of the key, where one was given and any picture was revealed.
    """

    revealed: dict[str, str]
    read: dict[str, str | None]
    skipped: dict[str, str]
    key_score: KeyScore | None


def reveal_folder(
    path: str | Path,
    out: str | Path,
    *,
    key: str | Path | None = None,
    secrets: str | Path = RENDER,
    protected: str | Path | None = None,
    secret_number: int | None = None,
    parts: bool = False,
    raw: bool = False,
    working_size: int = 512,
    weights: str | Path | None = None,
    device: str | None = None,
    on_file: Callable[[int, int], None] | None = None,
) -> Revelation:
    """Reveal the secrets of one file, or of every picture below a folder, as PNGs in ``out``.

    Where what is hidden is a drawing, it is read in what the network takes out, and drawn again (`semantics.reading`).
    Of a file that no manifest knows nobody says how it was published: it is looked at in several ways (`folder.found`).

    Args:
        path: a protected file or folder. Secrets' numbers and working size come from the manifest in the folder (for a
            file: in the nearest folder above it that has one).
        out: where the pictures go; mirrors the folder.
        key: a key to score against 1,000 decoys, fewer where many secrets or ways have to be tried.
        secrets: what the key decided in `protect_folder`: drawings, or the folder of a bank.
        protected: of files that no manifest knows, the folder whose copies they may be: it says which secrets, which
            weights and which working size.
        secret_number: of the secret to assume in them. When None all of the classes of ``protected``, or without that
            the first; every other key is tried on as many.
        parts: look for the secrets of ``protected`` in a picture that was cut, too, if the whole shows nothing: takes
            about a minute (`folder.cropped`).
        raw: write what the network takes out, not the drawing that is read in it.
        working_size: the size to assume that they were protected with, where no report says it.
        weights: as for `protect_folder`; those of the report, where they ship, when None.
        device: torch device; CUDA where there is one when None.
        on_file: called with (files done, files in all) after every file.

    Raises:
        FileNotFoundError: ``path`` does not exist, or holds no file.
        ValueError: ``key`` is not a key, the report speaks of a method that hides nothing, or of other ``secrets``,
            of drawings that are unknown here, or of other weights than a key is to be scored with, or a picture would
            be written among the protected or over another.

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
    if (destination or path.is_dir()) and out.resolve().is_relative_to(destination or root):
        raise ValueError(f"{out} lies inside {destination or root}; name an --out elsewhere")
    targets = {name: out / copy for name, copy in output_names(files, ".png", {}).items()}
    if parts and not (path.is_file() and protected and key):
        raise ValueError(
            "expected, to look in parts, one picture, a --key, and by --protected the folder of the copies"
        )
    if existing := [target for target in targets.values() if target.exists()]:
        raise ValueError(f"{existing[0]} exists already; name another --out")
    known_by = destination or (Path(protected) if protected else None)
    report = _report(known_by) if known_by else None
    entries = list(read_manifest(known_by).values()) if known_by else []
    numbers = _numbers(entries) if destination else {}
    assumed = report.secret_numbers if report and secret_number is None else [secret_number or 0]
    options = report.options if report else {}
    if report and key is not None:
        folder, own = weights_recorded(report.weights, weights), True  # a key is scored by what they reveal
    else:
        folder = weights_named(weights or (generation_of(report.weights) if report else None))
        own = report is not None and weights_digest(folder) == report.weights  # others take out what was never hidden
    hider = Hider.load(folder)
    claimed = claimed_secrets(key, secrets, hider, options.get("secrets")) if key is not None else None
    recorded_size = options.get("working_size", working_size)
    shapes = _common_shapes(entries)
    sizes = sorted({recorded_size, *(min(max(shape), 2 * min(shape)) for shape in shapes)}, reverse=True)
    style = style_recorded(options.get("secrets", f"{RENDER}-{hider.drawings}")) if str(secrets) == RENDER else None
    readable = not raw and style is not None and style.turned
    hider = prepare(hider, device_named(device))
    revealed, read, skipped = {}, dict[str, str | None](), {}
    gathered = Gathered()
    for done, (name, target) in enumerate(targets.items(), 1):
        try:
            photo = read_photo(read_limited(root / name))
        except UnreadablePhotoError as unreadable:
            skipped[name] = str(unreadable)
        else:
            number = numbers.get((root / name).relative_to(destination or root).as_posix())
            ways = ways_of(photo, sizes) if number is None else {"": working_picture(photo, recorded_size)}
            found = {way: reveal_secret(hider, working) for way, working in ways.items()}
            drawing = _clearest(found.values(), number is not None and own) if readable else None
            _save(drawing.picture() if drawing else next(iter(found.values())), target)
            revealed[name] = str(target)
            if drawing:
                read[name] = drawing.object.name if drawing.object else None
            if claimed:
                gathered.add(claimed, found, assumed if number is None else [number])
        if on_file:
            on_file(done, len(files))
    score = gathered.score(claimed) if claimed and revealed else None
    if parts and claimed and known_by and score and score.p_value > CONVINCING:
        photo = read_photo(read_limited(root / files[0]))
        score = score.or_else(score_part(photo, hider, claimed, assumed, shapes))
    return Revelation(revealed, read, skipped, score)


def _common_shapes(entries: Iterable[ManifestEntry]) -> list[Shape]:
    """Those that most working pictures of a folder of copies have."""
    shapes = Counter((e.working_height, e.working_width) for e in entries if e.working_height and e.working_width)
    return [shape for shape, _ in shapes.most_common(MOST_SHAPES)]


def _clearest(revealed: Iterable[UInt8[ndarray, "3 _ _"]], hidden: bool) -> Reading | None:
    """The drawing that stands out most in what was taken out of a picture in several ways.

    Where nobody knows that one is hidden, it has to be clear, and its object to be known again.
    """
    drawings = filter(None, (read_drawing(picture, 1 if hidden else CLEAR) for picture in revealed))
    return max((one for one in drawings if hidden or one.object), key=lambda one: one.clarity, default=None)


def _save(secret: UInt8[ndarray, "3 h w"], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        Image.fromarray(secret.transpose(1, 2, 0)).save(temporary, "PNG")


def _files(path: Path) -> tuple[Path, list[str]]:
    """The resolved folder, and the names in it."""
    path = path.absolute()
    if path.is_file():
        return path.parent.resolve(), [path.name]
    if not path.is_dir():
        raise FileNotFoundError(f"expected a picture or a folder, got {path}")
    names = [file.name for file in scan(path) if not file.refused]
    if not names:
        raise FileNotFoundError(f"expected pictures in {path}, found no file")
    return path.resolve(), names


def claimed_secrets(key: str | Path, secrets: str | Path, hider: Hider, recorded: str | None) -> Secrets:
    """The secrets that a key claims to have given.

    Args:
        key: the key file.
        secrets: ``render``, or the folder of a bank.
        hider: with the weights that are to have hidden them: drawings are of their style where no report says it.
        recorded: the fingerprint of the report's secrets; None where there is no report.

    Raises:
        ValueError: they are not those of the report, or drawings that are unknown here.
    """
    style = style_recorded(recorded) if recorded else None
    claimed = secrets_named(secrets, Key.read(key), style.version if style else hider.drawings)
    if recorded not in (None, claimed.fingerprint):
        if recorded.startswith(RENDER) and isinstance(claimed, RenderedSecrets):
            raise ValueError(
                f"the report speaks of the drawings {recorded}, which this version does not know: install the one that "
                "protected it; without --key they are revealed all the same"
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


def _numbers(entries: Iterable[ManifestEntry]) -> dict[str, int]:
    """The secret's number of every copy that a manifest lists."""
    return {e.output: e.secret_number for e in entries if e.output and e.secret_number is not None}
