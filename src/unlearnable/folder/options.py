"""What decides the copies of a folder besides its pictures and the key: for Python, the command line and the report."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from unlearnable.folder.manifest import HIDING
from unlearnable.hiding.network import MIN_SIDE
from unlearnable.images.budget import Budget
from unlearnable.images.platforms import PLATFORMS, PublishedSize
from unlearnable.images.xmp import plain_texts
from unlearnable.options import Against, Ask, Classes, Deal, Format, Per, Platform, Strength
from unlearnable.protections import Protection, protection_named, protections
from unlearnable.protections.deep_hiding import DeepHiding

STANDARD: Strength = "standard"  # unless somebody says how much
QUALITY = 90  # of JPEG
PULL = 0.9  # share of the energy against backbones


@dataclass(frozen=True)
class ProtectOptions:
    """Options of `protect_folder`.

    Attributes:
        method: a protection, ``name`` or ``name:parameter=value,parameter=value``.
        budget: ``rms:8`` or ``linf:8`` in grey levels, any radius, or ``l0:1`` in pixels; kept by the rounded 8-bit
            file. The method's own when None.
        per: of ``deep_hiding``, as are ``secrets``, ``deal``, ``strength`` and ``weights``: ``class`` hides one secret
            in all pictures of a class (the default), ``sample`` a variation of it in each.
        secrets: ``render`` draws them from the key (the default); or the folder of a bank, from which the key chooses.
        deal: ``contrary`` gives every class a secret that its pictures resemble least, looking at up to 32 of each
            (the default); ``order`` gives the n-th class the n-th secret.
        strength: how much of the budget is spent where people would see it, ``light``,
            ``standard`` or ``strong`` (`images.strength`), or all of it, ``full``. By default ``standard``; where a
            budget or parameters of the method are named, ``full``.
        against: ``backbones`` spends `PULL` of the energy against who starts from a pretrained backbone of the family
            that is asked, EfficientNet-Lite, which takes some seconds a picture (`hiding.targeting`; extra
            ``backbones``); ``scratch`` does not (the default).
        working_size: longest side, in pixels, of the picture that is perturbed; the perturbation is enlarged to the
            full size. 512 when None. A method that looks at the whole set stretches all pictures to squares of this
            side; when None it is that of the pictures, which must be squares of one size.
        platform: where the pictures will be published. Each is brought to the size that is served there before
            anything is hidden in it (`images.platforms`); a smaller one stays as it is. Their own sizes when None.
        classes: whence they come: from the ``folders`` in which pictures lie; ``auto`` from what they show, whatever
            the folders (`folder.grouping`); or all are of ``one``. By default as in an earlier run into the same
            folder; else ``folders``, or ``auto`` where 20 files or more lie in one folder without sub-folders.
        groups: so many with ``classes="auto"``, which it implies; the pictures decide when None.
        format: ``png`` and ``webp`` are lossless; ``jpeg`` alters the picture after the budget was enforced. When None
            that in which the platform is best served; ``png`` without one.
        quality: of JPEG, 1 to 100; when None the platform's, without one 90.
        ask: what a copy's metadata asks of who collects pictures: ``no-training``, ``no-generative-training``,
            ``search-only``, ``no-mining`` or ``nothing``. When None no training, unless the photo asks for something.
        terms: the same in words of your own, for people to read; they come after those of the photo.
        strip_location: leave out of the copy's metadata where it was taken.
        weights: a generation, folder or hub id of a `Hider`; the last generation when None.

    Raises:
        ValueError: one of them will not do.

    Examples:
        >>> from unlearnable import ProtectOptions
        >>> ProtectOptions(strength="light").protection().budget
        'rms:8'
        >>> ProtectOptions(budget="loud")
        Traceback (most recent call last):
            ...
        ValueError: expected a budget such as rms:8 or linf:8, ...; got 'loud'
    """

    method: str = HIDING
    budget: str | None = None
    per: Per | None = None
    secrets: str | Path | None = None
    deal: Deal | None = None
    strength: Strength | None = None
    against: Against | None = None
    working_size: int | None = None
    platform: Platform | None = None
    classes: Classes | None = None
    groups: int | None = None
    format: Format | None = None
    quality: int | None = None
    ask: Ask | None = None
    terms: str | None = None
    strip_location: bool = False
    weights: str | Path | None = None

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in get_args(Format):
            raise ValueError(f"expected the format png, webp or jpeg, got {self.format}")
        if self.platform is not None and self.platform not in get_args(Platform):
            raise ValueError(f"expected a platform among {', '.join(get_args(Platform))}, got {self.platform}")
        if self.classes is not None and self.classes not in get_args(Classes):
            raise ValueError(f"expected classes by {', '.join(get_args(Classes))}, got {self.classes}")
        if self.groups is not None and self.classes not in (None, "auto"):
            raise ValueError(f"expected groups with the classes auto alone, got {self.groups} with {self.classes}")
        if self.groups is not None and self.groups < 2:
            raise ValueError(f"expected at least 2 groups, got {self.groups}; for a single class name the classes one")
        if self.working_size is not None and self.working_size < MIN_SIDE:
            raise ValueError(f"expected a working size of at least {MIN_SIDE} px, got {self.working_size}")
        if self.ask is not None and self.ask not in get_args(Ask):
            raise ValueError(f"expected of ask {', '.join(get_args(Ask))}, got {self.ask}")
        if self.terms is not None and [*plain_texts([self.terms])] != [self.terms.strip()]:
            raise ValueError("expected terms of up to 8,192 characters that can be printed, and not none")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f"expected a JPEG quality from 1 to 100, got {self.quality}")
        self.protection()

    @property
    def name(self) -> str:
        """Of the method, without its parameters."""
        return self.method.partition(":")[0]

    def protection(self) -> Protection:
        """The method with its parameters, under the budget."""
        protection: Any = protection_named(self.method)
        names = ("per", "secrets", "deal", "strength", "weights", "against")
        given = {name: str(value) for name in names if (value := getattr(self, name)) is not None}
        if given and not isinstance(protection, DeepHiding):
            raise ValueError(
                f"{', '.join(given)}: an option of {HIDING} alone; {self.name} has the parameters "
                f"{', '.join(protections.parameters(self.name))}, as in {self.name}:budget={protection.budget}"
            )
        changed: dict[str, Any] = {"strength": STANDARD} if self.method == HIDING and self.budget is None else {}
        changed |= given
        if against := changed.pop("against", None):
            changed["pull"] = PULL if against == "backbones" else 0.0
        budget = str(Budget.parse(self.budget or protection.budget))
        within_budget: Protection = replace(protection, **changed, budget=budget)
        return within_budget

    def recorded(self) -> dict[str, Any]:
        """As the report keeps those that do not belong to the method."""
        preset = PLATFORMS[self.platform] if self.platform else None
        format = self.format or (preset.upload if preset else "png")
        written: dict[str, Any] = {"format": format, "metadata": self.ask != "nothing"}
        if format == "jpeg":
            written["quality"] = self.quality or (preset.quality if preset else QUALITY)
        size = {"platform": asdict(PublishedSize.of(self.platform))} if self.platform else {}
        said = {"ask": self.ask, "terms": self.terms, "strip_location": self.strip_location or None}
        given = {name: value for name, value in said.items() if value is not None}
        return {"budget": self.protection().budget, **written, **size, **given}
