"""The tab Check: whether a picture that was found carries what one's own key hid."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from unlearnable.app.comparing import Pixels, address_of
from unlearnable.app.form import Form
from unlearnable.app.jobs import Job, Row
from unlearnable.app.session import Session
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.reveal import claimed_secrets, reveal_folder
from unlearnable.hiding.inference import generation_of, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import UnreadablePhotoError, read_limited, read_photo
from unlearnable.images.scan import scan
from unlearnable.semantics.identify import KeyScore
from unlearnable.semantics.secrets import RENDER, Secrets
from unlearnable.storage.atomic import replacing

SURE, DOUBTFUL = 0.01, 0.05  # p-values
MANY = 12  # kinds that are tried one after the other
SHOWN = 6  # pictures whose hidden picture is shown
UNKNOWN = "any"


@dataclass(frozen=True)
class Owned:
    """A folder of copies: what its pictures carry.

    Attributes:
        folder: it.
        report: of its run.
        kinds: the secret's number of each class that may have been found.
        side: long side of the pictures in which was hidden, in pixels.
    """

    folder: Path
    report: Report
    kinds: dict[str, int]
    side: int


def kinds_of(folder: Path) -> list[str]:
    """The classes of a folder of copies."""
    return _hiding(folder).classes


def checking(session: Session, form: Form) -> Callable[[Job], None]:
    """The work that a form asks for.

    Raises:
        ValueError: something is missing in it, or does not fit.
    """
    batch = form.text("batch")
    found = session.dropped(batch) if batch else form.path("found", "the picture that you found")
    key = form.path_or_none("key", "your key") or session.key
    if not key.is_file():
        raise ValueError(f"expected the key with which the pictures were protected, and there is none at {key}")
    folder = form.path("protected", "the folder of your copies, whose report says what was hidden where")
    report, kind = _hiding(folder), form.text("kind") or UNKNOWN
    chosen = report.classes if kind == UNKNOWN else [kind]
    numbers = dict(zip(report.classes, report.secret_numbers, strict=True))
    if missing := [name for name in chosen if name not in numbers]:
        raise ValueError(f"there is no kind {missing[0]} in {folder}; it has {', '.join(numbers)}")
    if len(chosen) > MANY:
        raise ValueError(
            f"the folder has {len(chosen)} kinds, and at most {MANY} can be tried: name the picture's kind"
        )
    sides = [max(e.working_width or 0, e.working_height or 0) for e in read_manifest(folder).values()]
    side = max(sides, default=0) or int(report.options["working_size"])
    owned = Owned(folder, report, {name: numbers[name] for name in chosen}, side)
    return partial(_check, session=session, found=found, key=key, owned=owned)


def _hiding(folder: Path) -> Report:
    report = Report.load(folder)
    if not report.hides:
        raise ValueError(f"nothing is hidden in the pictures of {folder}: they were protected by {report.method}")
    return report


def _check(job: Job, session: Session, found: Path, key: Path, owned: Owned) -> None:
    """Every picture on its own."""
    names = [found.name] if found.is_file() else [file.name for file in scan(found) if not file.refused]
    if not names:
        raise ValueError(f"expected pictures in {found}, found none")
    root = found.parent if found.is_file() else found
    weights = generation_of(owned.report.weights) or session.weights
    secrets = claimed_secrets(key, RENDER, Hider.load(weights_named(weights)), str(owned.report.options.get("secrets")))
    place = session.new_folder("check")
    for done, name in enumerate(names):
        job.at("looking", done, len(names))
        try:
            one = _enlarged(root / name, place / str(done), owned.side)
        except UnreadablePhotoError as unreadable:
            job.row(Row(name, "skipped", str(unreadable)))
            continue
        scores = {}
        for kind, number in owned.kinds.items():
            job.at("looking", done, len(names))
            out = place / f"{done}-{number}"
            revelation = reveal_folder(
                one, out, key=key, secret_number=number, working_size=owned.side, weights=weights
            )
            if revelation.key_score:
                scores[kind] = revelation.key_score
        kind = min(scores, key=lambda name: (scores[name].p_value, -scores[name].deviations))
        status, words = _verdict(scores[kind], len(scores), kind)
        job.row(Row(name, status, words))
        if done < SHOWN:
            picture = read_photo(read_limited(next((place / f"{done}-{owned.kinds[kind]}").glob("*.png")))).rgb
            drawn = _drawn(secrets, owned.kinds[kind], picture.shape)
            job.pictures.append((f"Taken out of {name}", address_of(picture)))
            job.pictures.append((f"What your key hides in {kind}", address_of(drawn)))
    job.sentences += _sentences(job, len(owned.kinds))


def _enlarged(file: Path, folder: Path, side: int) -> Path:
    """A copy of a found file, alone in a folder; a reduced one is brought back to the size in which was hidden."""
    picture = Image.fromarray(read_photo(read_limited(file)).rgb)
    if (now := max(picture.size)) < side:
        width, height = (max(1, round(length * side / now)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    folder.mkdir()
    with replacing(folder / "found.png") as temporary:
        picture.save(temporary, "PNG")
    return folder


def _drawn(secrets: Secrets, number: int, shape: tuple[int, ...]) -> Pixels:
    return secrets.draw(number, secrets.index(0, "found"), *shape[:2]).transpose(1, 2, 0)


def _verdict(score: KeyScore, tried: int, kind: str) -> tuple[str, str]:
    """In a word and in a sentence; who tries several kinds finds something sooner, which the p-value pays for."""
    p_value = min(1.0, tried * score.p_value)
    if p_value <= SURE:
        status = "yours"
        words = "It carries your hidden picture"
    elif p_value <= DOUBTFUL:
        status = "perhaps"
        words = "It may carry your hidden picture; this is not sure"
    else:
        return "not shown", (
            f"Your hidden picture was not found in it (p = {p_value:.2g}): it is none of these copies, or one that was "
            "made so small or saved so often that nothing is left"
        )
    return status, (
        f"{words}, that of {kind}. Your key fits better than {score.beaten:,} of {score.decoys:,} keys that are "
        f"nobody's (p = {p_value:.2g}): by chance a picture that is not yours would do so well {_odds(p_value)}"
    )


def _odds(p_value: float) -> str:
    return f"about once in {round(1 / p_value):,} times"


def _sentences(job: Job, kinds: int) -> list[str]:
    counts = job.counts()
    told = [", ".join(f"{number} {status}" for status, number in counts.items()) + "."]
    if kinds > 1:
        told.append(
            f"{kinds} kinds were tried, and the p-values are corrected for that. If you know the kind, name it."
        )
    told.append(
        "A small p-value says that chance does not explain it. It says nothing of who took the picture, or how."
    )
    return told
