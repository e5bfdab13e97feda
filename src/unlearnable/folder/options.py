"""What decides the copies of a folder besides its pictures and the key: for Python, the command line and the report."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from unlearnable.folder.manifest import HIDING
from unlearnable.hiding.network import MIN_SIDE
from unlearnable.images.budget import Budget
from unlearnable.options import Against, Ask, Deal, Format, Per, Strength
from unlearnable.protections import Protection, protection_named, protections
from unlearnable.protections.deep_hiding import DeepHiding

STANDARD: Strength = "standard"  # unless somebody says how much
PULL = 0.3  # share of the energy against backbones


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
        against: ``backbones`` spends `PULL` of the energy against who starts from a pretrained backbone, which takes
            one or two seconds a picture (`hiding.targeting`; extra ``backbones``); ``scratch`` does not (the default).
        working_size: longest side, in pixels, of the picture that is perturbed; the perturbation is enlarged to the
            full size. 512 when None. A method that looks at the whole set stretches all pictures to squares of this
            side; when None it is that of the pictures, which must be squares of one size.
        format: ``png`` and ``webp`` are lossless; ``jpeg`` alters the picture after the budget was enforced.
        quality: of JPEG, 1 to 100.
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
    format: Format = "png"
    quality: int = 90
    ask: Ask | None = None
    terms: str | None = None
    strip_location: bool = False
    weights: str | Path | None = None

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise ValueError(f"expected the format png, webp or jpeg, got {self.format}")
        if self.working_size is not None and self.working_size < MIN_SIDE:
            raise ValueError(f"expected a working size of at least {MIN_SIDE} px, got {self.working_size}")
        if self.ask is not None and self.ask not in get_args(Ask):
            raise ValueError(f"expected of ask {', '.join(get_args(Ask))}, got {self.ask}")
        if not 1 <= self.quality <= 100:
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
        quality = {"quality": self.quality} if self.format == "jpeg" else {}
        said = {"ask": self.ask, "terms": self.terms, "strip_location": self.strip_location or None}
        given = {name: value for name, value in said.items() if value is not None}
        always = {"budget": self.protection().budget, "format": self.format, "metadata": self.ask != "nothing"}
        return always | quality | given
