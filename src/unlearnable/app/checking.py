"""The tab Check: whether a picture that was found carries what one's own key hid."""

from collections import Counter
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
from unlearnable.semantics.secrets import RENDER

SURE, DOUBTFUL = 0.01, 0.05  # p-values
MANY = 12  # kinds that are tried one after the other
SHOWN = 6  # pictures whose hidden picture is shown
UNKNOWN = "any"
TOGETHER = "All together, if they are of one kind"


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
    """Every picture on its own; then several together, as they would be of one kind."""
    names = [found.name] if found.is_file() else [file.name for file in scan(found) if not file.refused]
    if not names:
        raise ValueError(f"expected pictures in {found}, found none")
    root = found.parent if found.is_file() else found
    weights = generation_of(owned.report.weights) or session.weights
    looking = Looking(job, key, owned, weights, session.new_folder("check"))
    (together := looking.place / "together").mkdir()
    for done, name in enumerate(names):
        job.at("looking", done, len(names))
        try:
            picture = _enlarged(root / name, owned.side)
        except UnreadablePhotoError as unreadable:
            job.row(Row(name, "skipped", str(unreadable)))
            continue
        (alone := looking.place / f"alone{done}").mkdir()
        for folder in (alone, together):
            picture.save(folder / f"{done}.png")
        looking.at(alone, name, (done, len(names)), shown=done < SHOWN)
    if len(list(together.iterdir())) > 1:
        looking.at(together, TOGETHER, (len(names), len(names)), shown=False)
    job.sentences += _sentences(job, len(owned.kinds))


@dataclass(frozen=True)
class Looking:
    """What it takes to look for hidden pictures."""

    job: Job
    key: Path
    owned: Owned
    weights: str | None
    place: Path

    def at(self, folder: Path, name: str, progress: tuple[int, int], shown: bool) -> None:
        """Look at the pictures of a folder together, and tell what was found, under this name."""
        scores: dict[str, KeyScore] = {}
        for kind, number in self.owned.kinds.items():
            self.job.at("looking", *progress)
            revelation = reveal_folder(
                folder,
                self._out(folder, kind),
                key=self.key,
                secret_number=number,
                working_size=self.owned.side,
                weights=self.weights,
            )
            if revelation.key_score:
                scores[kind] = revelation.key_score
        kind = min(scores, key=lambda name: (scores[name].p_value, -scores[name].deviations))
        self.job.row(Row(name, *_verdict(scores[kind], len(scores), kind)))
        if shown:
            picture = read_photo(read_limited(next(self._out(folder, kind).glob("*.png")))).rgb
            self.job.pictures.append((f"Taken out of {name}", address_of(picture)))
            self.job.pictures.append((f"What your key hides in {kind}", address_of(self._drawn(kind, picture.shape))))

    def _out(self, folder: Path, kind: str) -> Path:
        return self.place / f"{folder.name}-{self.owned.kinds[kind]}"

    def _drawn(self, kind: str, shape: tuple[int, ...]) -> Pixels:
        recorded = str(self.owned.report.options.get("secrets"))
        secrets = claimed_secrets(self.key, RENDER, Hider.load(weights_named(self.weights)), recorded)
        number, index = self.owned.kinds[kind], secrets.index(0, "found")
        drawn: Pixels = secrets.draw(number, index, *shape[:2]).transpose(1, 2, 0)
        return drawn


def _enlarged(file: Path, side: int) -> Image.Image:
    """A found picture; a reduced one is brought back to the size in which was hidden."""
    picture = Image.fromarray(read_photo(read_limited(file)).rgb)
    if (now := max(picture.size)) < side:
        width, height = (max(1, round(length * side / now)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return picture


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
            "made so small or saved so coarsely that too little is left"
        )
    return status, (
        f"{words}, that of {kind}. Your key fits better than {score.beaten:,} of {score.decoys:,} keys that are "
        f"nobody's (p = {p_value:.2g}): by chance a picture that is not yours would do so well {_odds(p_value)}"
    )


def _odds(p_value: float) -> str:
    return f"about once in {round(1 / p_value):,} times"


def _sentences(job: Job, kinds: int) -> list[str]:
    rows, _ = job.rows_since(0)
    alone = [row for row in rows if row.file != TOGETHER]
    if len(rows) == 1:
        told = [f"{rows[0].file}: {rows[0].reason}."]
    else:
        counts = Counter(row.status for row in alone)
        told = ["; ".join(f"{number} of {len(alone)} {status}" for status, number in counts.items()) + "."]
        told.append(
            f"Each was tested on its own: of a hundred that are not yours, one has a p-value of {SURE} or less."
        )
    if kinds > 1:
        told.append(
            f"{kinds} kinds were tried, and the p-values are corrected for that. If you know the kind, name it."
        )
    told.append(
        "A small p-value says that chance does not explain it. It says nothing of who took the picture, or how."
    )
    return told
