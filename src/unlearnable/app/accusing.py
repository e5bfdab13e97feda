"""The tab Accuse: what `unlearnable accuse probe`, `judge` and `model` do."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from unlearnable.accuse.answers import Answers
from unlearnable.accuse.judge import Judgement, judge_answers, read_mapping
from unlearnable.accuse.make import make_probes, probes_of
from unlearnable.accuse.page import PAGE, write_judgement
from unlearnable.accuse.sealed import PICTURES, SEALED, TEMPLATE, Sealed
from unlearnable.accuse.suspects import Suspect, suspect_named
from unlearnable.accuse.words import headline
from unlearnable.app.form import Form
from unlearnable.app.jobs import Job
from unlearnable.app.session import Session
from unlearnable.options import QUERIES

STEPS = ("probe", "judge", "model")


def accusing(session: Session, form: Form) -> Callable[[Job], None]:
    """The work that a form asks for.

    Raises:
        ValueError: something is missing in it, or does not fit.
    """
    step = form.one_of("step", STEPS)
    mapping = form.path_or_none("mapping", "the file of what the model calls your kinds")
    if step == "judge":
        probes = form.path("probes", "the folder of the pictures to show")
        return partial(_judge, probes=probes, answers=form.path("answers", "the file of the answers"), mapping=mapping)
    make = partial(
        make_probes if step == "probe" else probes_of,
        form.path("protected", "the folder of your copies"),
        form.path("clean", "a folder of clean pictures that were never published"),
        form.path_or_none("key", "your key") or session.key,
        out := form.path("out", "a new folder for the pictures to show"),
        originals=form.path_or_none("originals", "the folder of the originals"),
        queries=form.number("queries", "pictures", 1) or QUERIES,
        weights=session.weights,
    )
    if step == "probe":
        return partial(_probe, make=make, out=out)
    file, network = form.path("model", "the file of the model"), form.text("network")
    suspect = f"{network}@{file}" if network else str(file)
    size = form.number("size", "the side of its pictures", 1)
    scale = form.colours("mean", "what is subtracted", 0.0), form.colours("std", "what is divided by", 1.0)
    return partial(_model, make=make, out=out, asked=partial(suspect_named, suspect, size, *scale), mapping=mapping)


def _probe(job: Job, make: Callable[..., Sealed], out: Path) -> None:
    sealed = make(on_stage=job.at)
    job.sentences += [
        f"{len(sealed.files):,} pictures to show are in {out / PICTURES}.",
        f"Write what the model answers into {out / TEMPLATE}: one name a line, or a column for every kind with its "
        'probability. Then choose "Its answers" above.',
        f"Keep {out / SEALED} to yourself until then. Its seal, to deposit with somebody now: {sealed.seal}",
    ]
    if sealed.shown == "secrets":
        job.sentences.append("Whoever has seen the pictures can recognise them: show a set once.")


def _judge(job: Job, probes: Path, answers: Path, mapping: Path | None) -> None:
    job.at("reading the answers", 0, None)
    sealed = Sealed.load(probes)
    sealed.check_pictures(probes)
    given = read_mapping(mapping) if mapping else None
    _tell(job, judge_answers(sealed, Answers.read(answers, sealed.files), given), probes)


def _model(
    job: Job, make: Callable[..., Sealed], out: Path, asked: Callable[[], Suspect], mapping: Path | None
) -> None:
    job.at("reading the model", 0, None)
    suspect = asked()
    given = read_mapping(mapping) if mapping else None
    sealed = make(on_stage=job.at)
    answers = suspect.ask(out, sealed, job.at)
    answers.write(out / TEMPLATE, sealed.files)
    _tell(job, judge_answers(sealed, answers, given), out)


def _tell(job: Job, judgement: Judgement, out: Path) -> None:
    write_judgement(judgement, out)
    job.sentences += [headline(judgement), f"The page below says what that means. It is {out / PAGE}."]
    job.page = out / PAGE
