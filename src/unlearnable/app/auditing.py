"""The tab Audit: what `unlearnable audit` does, for a few countermeasures."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from unlearnable.app.choices import COUNTERMEASURES
from unlearnable.app.form import Form
from unlearnable.app.jobs import Job
from unlearnable.app.session import Session
from unlearnable.audit.options import AuditOptions
from unlearnable.audit.progress import AuditProgress
from unlearnable.audit.run import PAGE, audit_folder
from unlearnable.audit.verdict import verdict


def auditing(session: Session, form: Form) -> Callable[[Job], None]:
    """The work that a form asks for.

    Raises:
        ValueError: something is missing in it, or does not fit.
    """
    chosen = form.texts("countermeasures")
    if not chosen or not COUNTERMEASURES.keys() >= {*chosen}:
        raise ValueError(f"expected one thing at least that a trainer does, got {', '.join(chosen) or 'none'}")
    size = form.number("size", "the side at which is trained", 16)
    options = AuditOptions(countermeasures=",".join(chosen), size=size)
    places = [
        form.path("protected", "the folder of your copies"),
        form.path("originals", "the folder of the originals"),
        form.path("test", "a folder of other clean pictures, in the same sub-folders"),
        form.path("out", "a folder for the results"),
    ]
    return partial(_audit, places=places, options=options)


def _audit(job: Job, places: list[Path], options: AuditOptions) -> None:
    def on_progress(now: AuditProgress) -> None:
        accuracy = "" if now.accuracy is None else f", {now.accuracy:.0%} right so far"
        job.at("training", now.done, now.total)
        job.step = f"training {now.cell} of {now.cells}: {now.what}{accuracy}"

    protected, originals, test, out = places
    job.at("reading the pictures", 0, None)
    outcome = audit_folder(protected, originals, test, out, options, on_progress=on_progress)
    job.sentences += [f"Not measured: {name}: {reason}." for name, reason in outcome.missing.items()]
    job.sentences += [
        verdict(outcome)[0],
        f"The page below says more. It is {out / PAGE}, and opens anywhere, offline.",
    ]
    job.page = out / PAGE
