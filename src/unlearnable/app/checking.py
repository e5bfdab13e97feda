"""The tab Check: whether a picture that was found carries what one's own key hid."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unlearnable.app.comparing import Pixels, address_of
from unlearnable.app.form import Form
from unlearnable.app.jobs import Job, Row
from unlearnable.app.session import Session
from unlearnable.folder.manifest import Report
from unlearnable.folder.reveal import claimed_secrets, reveal_folder
from unlearnable.hiding.inference import generation_of, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.photos import read_limited, read_photo
from unlearnable.images.scan import scan
from unlearnable.semantics.identify import CONVINCING, KeyScore
from unlearnable.semantics.secrets import RENDER

SURE, DOUBTFUL = CONVINCING, 0.05  # p-values
MANY = 12  # kinds that are tried
SHOWN = 6  # pictures whose hidden picture is shown
UNKNOWN = "any"
TOGETHER = "All together, if they are of one kind"


@dataclass(frozen=True)
class Owned:
    """A folder of copies: what its pictures carry.

    Attributes:
        folder: it.
        report: of its run.
        kinds: the class of every secret that may have been found, by its number.
    """

    folder: Path
    report: Report
    kinds: dict[int, str]


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
    owned = Owned(folder, report, {numbers[name]: name for name in chosen})
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
    for done, name in enumerate(names):
        job.at("looking", done, len(names))
        looking.at(root / name, name, shown=done < SHOWN)
    if len(names) > 1:
        looking.at(root, TOGETHER, shown=False)
    job.sentences += _sentences(job, len(owned.kinds))


@dataclass(frozen=True)
class Looking:
    """What it takes to look for hidden pictures."""

    job: Job
    key: Path
    owned: Owned
    weights: str | None
    place: Path

    def at(self, path: Path, name: str, shown: bool) -> None:
        """Look at a picture, or at those of a folder together, and tell what was found, under this name."""
        kinds, out = self.owned.kinds, self.place / f"{len(list(self.place.iterdir()))}"
        revelation = reveal_folder(
            path,
            out,
            key=self.key,
            protected=self.owned.folder,
            secret_number=next(iter(kinds)) if len(kinds) == 1 else None,
            weights=self.weights,
        )
        score = revelation.key_score
        if score is None:
            self.job.row(Row(name, "skipped", "; ".join(revelation.skipped.values())))
            return
        kind = kinds[score.secret_number]
        self.job.row(Row(name, *_verdict(score, kind)))
        if shown:
            picture = read_photo(read_limited(next(out.rglob("*.png")))).rgb
            title = f"Read in {name}" if revelation.read else f"Taken out of {name}"
            self.job.pictures.append((title, address_of(picture)))
            drawn = self._drawn(score.secret_number, picture.shape)
            self.job.pictures.append((f"What your key hides in {kind}", address_of(drawn)))

    def _drawn(self, number: int, shape: tuple[int, ...]) -> Pixels:
        recorded = str(self.owned.report.options.get("secrets"))
        secrets = claimed_secrets(self.key, RENDER, Hider.load(weights_named(self.weights)), recorded)
        drawn: Pixels = secrets.draw(number, secrets.index(0, "found"), *shape[:2]).transpose(1, 2, 0)
        return drawn


def _verdict(score: KeyScore, kind: str) -> tuple[str, str]:
    """In a word and in a sentence; where several kinds are tried, every other key is tried on as many."""
    p_value = score.p_value
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
        told.append(f"{kinds} kinds were tried, and of every other key as many. If you know the kind, name it.")
    told.append(
        "A small p-value says that chance does not explain it. It says nothing of who took the picture, or how."
    )
    return told
