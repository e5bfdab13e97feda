"""Training sets made from clean ones, and what is known of each: its content, its budget, its quality."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import ClassVar

import torch

from unlearnable.bench.planned_cell import REMAINDER, TrainingSet
from unlearnable.compute.devices import device_named, name_of
from unlearnable.images.budget import Budget
from unlearnable.images.imageset import ImageSet, fingerprint
from unlearnable.images.quality import measure
from unlearnable.images.visibility import VisibilitySummary, spread_out, visibility
from unlearnable.protections.optimised import OptimisationStep, Optimised
from unlearnable.storage.checkpoint import elapsed_seconds
from unlearnable.storage.provenance import __version__, file_fingerprint, versions
from unlearnable.storage.records import Record

SEEN = 20  # pictures of a set whose visibility is measured: each takes about a tenth of a second


@dataclass(frozen=True)
class SetQuality:
    """How far the protected pictures of a set are from the clean ones, each as written in 8 bits.

    Attributes:
        budget: what the protection keeps.
        over_budget: pictures outside of it.
        rms, rms_max: mean and largest over the pictures, in grey levels.
        linf_max: largest difference of a value, in grey levels.
        l0_max: most pixels that differ in one picture.
        psnr: mean, in dB; None where no picture differs.
        ssim: mean.
        visibility: what people see, of `SEEN` pictures from all over the set; None where that was not measured.
    """

    budget: str
    over_budget: int
    rms: float
    rms_max: float
    linf_max: int
    l0_max: int
    psnr: float | None
    ssim: float
    visibility: VisibilitySummary | None = None

    @classmethod
    def of(cls, budget: str, clean: ImageSet, made: ImageSet) -> "SetQuality":
        """Of pictures and what was made of them."""
        pairs = list(zip(*(data.images.permute(0, 2, 3, 1).numpy() for data in (clean, made)), strict=True))
        with ThreadPoolExecutor() as pool:
            qualities = list(pool.map(lambda pair: measure(*pair), pairs))
            seen = list(pool.map(lambda pair: visibility(*pair), spread_out(pairs, SEEN)))
        psnrs = [quality.psnr for quality in qualities if quality.psnr is not None]
        return cls(
            budget=budget,
            over_budget=sum(quality.exceeds(Budget.parse(budget)) for quality in qualities),
            rms=round(mean(quality.rms for quality in qualities), 3),
            rms_max=max(quality.rms for quality in qualities),
            linf_max=max(quality.linf for quality in qualities),
            l0_max=max(quality.l0 or 0 for quality in qualities),
            psnr=round(mean(psnrs), 2) if psnrs else None,
            ssim=round(mean(quality.ssim for quality in qualities), 4),
            visibility=VisibilitySummary.of([one for one in seen if one]),
        )


@dataclass(frozen=True)
class SetRecord(Record):
    """A training or test set as it was made.

    Attributes:
        what: it is.
        clean: fingerprint of the clean set.
        files: fingerprint of the files on which the protection depends.
        fingerprint: of the set itself.
        count: of its pictures.
        size: their side in pixels.
        classes: how many.
        measured: of the protected pictures; None where there are none.
        seconds: it took to make, those of a run that was killed included.
        device: on which, by name.
        versions: of Python and of the packages that matter.
        version: of this package.
    """

    named: ClassVar[str] = "the record of a set"

    what: TrainingSet
    clean: str
    files: str
    fingerprint: str
    count: int
    size: int
    classes: int
    measured: SetQuality | None
    seconds: float
    device: str
    versions: dict[str, str]
    version: str = __version__

    @property
    def key(self) -> str:
        """That of the set."""
        return self.what.key

    def contradicts(self, other: "SetRecord") -> bool:
        """Whether it is another set, though both were made of the same, by the same version."""
        same = (self.clean, self.files, self.version) == (other.clean, other.files, other.version)
        return same and self.fingerprint != other.fingerprint

    def holds(self, clean: str) -> bool:
        """Whether it would be made the same today, of a clean set with this fingerprint."""
        return (self.clean, self.files, self.version) == (clean, _files(self.what), __version__)


def make(
    what: TrainingSet,
    clean: ImageSet,
    full: ImageSet | None = None,
    checkpoint: Path | None = None,
    device: str | None = None,
    on_step: Callable[[OptimisationStep], None] | None = None,
) -> tuple[SetRecord, ImageSet]:
    """Make a set.

    Args:
        what: it is to be.
        clean: the clean pictures of ``what.data``.
        full: all of them protected, where only a share is to be.
        checkpoint: of a protection that is optimised; a killed one resumes from it.
        device: where such a protection is optimised; CUDA where there is one when None.
        on_step: called after each of its steps.

    Raises:
        ValueError: the protection cannot serve these pictures.
        DivergedError: an optimisation came to nothing.
    """
    start, where = time.perf_counter(), device_named(device)
    if checkpoint:
        start -= elapsed_seconds(checkpoint)
    protected = torch.rand(len(clean), generator=torch.Generator().manual_seed(what.seed)).argsort().argsort()
    protected = protected < round(what.share * len(clean))
    protection, measured = what.protecting, None
    if protection is None:
        made = clean[~protected] if what.protection == REMAINDER else clean
    else:
        if full is not None:
            made = full
        elif isinstance(protection, Optimised):
            change = protection.optimised(clean, what.seed, device=where, checkpoint=checkpoint, on_step=on_step)
            made = protection.publish(clean, change)
        else:
            made = protection(clean, what.seed)
        made = replace(clean, images=torch.where(protected[:, None, None, None], made.images, clean.images))
        measured = SetQuality.of(protection.budget, clean[protected], made[protected])
    record = SetRecord(
        what=what,
        clean=fingerprint(clean),
        files=_files(what),
        fingerprint=fingerprint(made),
        count=len(made),
        size=made.images.shape[-1],
        classes=len(made.classes),
        measured=measured,
        seconds=round(time.perf_counter() - start, 2),
        device=name_of(where),
        versions=versions(),
    )
    return record, made


def _files(what: TrainingSet) -> str:
    """Fingerprint of the files on which the protection depends."""
    return file_fingerprint(what.protecting.find_files()) if what.protecting else ""
