"""Where secrets come from: drawings made from a key, or a bank of pictures from which a key chooses."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.keys import Key
from unlearnable.semantics.bank import Bank
from unlearnable.semantics.render import FIRST, MAX_CLASSES, STYLES, Style, render, scene
from unlearnable.semantics.thumbnails import lattice, sampled, thumbnail

RENDER = "render"


@dataclass(frozen=True)
class Secrets(ABC):
    """The pictures that are hidden: a function of (class, index), decided by a key.

    Attributes:
        key: the owner's.
    """

    key: Key

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many classes it can serve."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Names the pictures, whatever the key: what a run must share with the one that it resumes."""

    @abstractmethod
    def draw(self, label: int, index: int, height: int, width: int) -> UInt8[ndarray, "3 h w"]:
        """The secret of class ``label`` in its variation ``index``, RGB, (3, height, width).

        Raises:
            ValueError: ``label`` is outside 0 .. ``capacity`` - 1.
        """

    def index(self, variation: int, *picture: str | int) -> int:
        """What `draw` takes for a variation in one picture, which its words name: the key may draw its sign."""
        return variation

    @property
    def signed(self) -> bool:
        """Whether a picture carries the negative of its class's shape as often as the shape."""
        return False

    @property
    def readable(self) -> bool:
        """Whether they are drawings that can be read in what is revealed (`semantics.reading`)."""
        return False

    @abstractmethod
    def seen(self, picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "_ _"]:
        """What of a revealed picture is compared with `shape`: grey and small."""

    @abstractmethod
    def shape(self, label: int, height: int, width: int) -> Float[ndarray, "_ _"]:
        """The global shape that all variations of a class share, as `seen` in a picture of that size."""

    def whole(self, label: int, height: int, width: int) -> Float[ndarray, "height width"]:
        """The shape at every pixel of a picture of that size, in which parts are looked for."""
        shape = Image.fromarray(self.shape(label, height, width).astype(np.float32))
        return np.asarray(shape.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)

    def with_key(self, key: Key) -> "Secrets":
        """The same source of pictures under another key."""
        return replace(self, key=key)


@dataclass(frozen=True)
class RenderedSecrets(Secrets):
    """Drawings of `semantics.render`.

    Attributes:
        key: the owner's.
        style: of drawing.
    """

    style: Style = FIRST

    @property
    def capacity(self) -> int:
        """As many as there are different scenes."""
        return MAX_CLASSES

    @property
    def fingerprint(self) -> str:
        """Nothing but the key and the way of drawing decides them."""
        return f"{RENDER}-{self.style.version}"

    def draw(self, label: int, index: int, height: int, width: int) -> UInt8[ndarray, "3 h w"]:
        """Variation ``index`` of the scene of class ``label``."""
        return render(self.key, label, index, height, width, self.style)

    def index(self, variation: int, *picture: str | int) -> int:
        """With a sign for the picture, where drawings have negatives: over a class they have no mean."""
        if not self.style.signed:
            return variation
        return 2 * variation + int(self.key.rng("sign", *picture).integers(2))

    @property
    def signed(self) -> bool:
        """As its style is."""
        return self.style.signed

    @property
    def readable(self) -> bool:
        """Where the object turns the waves around."""
        return self.style.turned

    def seen(self, picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "_ _"]:
        """Light and dark at some places of the whole."""
        return sampled(picture)

    def shape(self, label: int, height: int, width: int) -> Float[ndarray, "_ _"]:
        """Those of the scene, at the same places."""
        return scene(self.key, label, self.style).tone(height, width, lattice((height, width)))

    def whole(self, label: int, height: int, width: int) -> Float[ndarray, "height width"]:
        """Light and dark of the scene."""
        return scene(self.key, label, self.style).tone(height, width)


@dataclass(frozen=True)
class BankSecrets(Secrets):
    """Pictures of a bank. The key decides which class of the bank serves which label, and which picture an index.

    Attributes:
        key: the owner's.
        bank: the pictures.
    """

    bank: Bank

    @property
    def capacity(self) -> int:
        """The classes of the bank."""
        return len(self.bank.classes)

    @property
    def fingerprint(self) -> str:
        """That of the bank's content."""
        return f"bank:{self.bank.fingerprint}"

    def draw(self, label: int, index: int, height: int, width: int) -> UInt8[ndarray, "3 h w"]:
        """One of the pictures of the class, resized; the same for the same index."""
        chosen = self._serving(label)
        pictures = self.bank.classes[chosen].pictures
        picture = self.bank.picture(chosen, int(self.key.rng("bank picture", label, index).integers(len(pictures))))
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(resized).transpose(2, 0, 1)

    def seen(self, picture: UInt8[ndarray, "3 h w"]) -> Float[ndarray, "_ _"]:
        """The whole, reduced."""
        return thumbnail(picture)

    def shape(self, label: int, height: int, width: int) -> Float[ndarray, "_ _"]:
        """The mean of some of the class's pictures, whatever the size."""
        return self.bank.shape(self._serving(label))

    def _serving(self, label: int) -> int:
        """The class of the bank that serves a label."""
        if not 0 <= label < self.capacity:
            raise ValueError(
                f"expected a class index from 0 to {self.capacity - 1}, which the bank serves, got {label}"
            )
        return int(self.key.rng("bank classes").permutation(self.capacity)[label])


def style_recorded(fingerprint: str) -> Style | None:
    """The style of the drawings that a `Secrets.fingerprint` names; None of a bank, or of drawings unknown here.

    >>> style_recorded("render-5").turned, style_recorded("render-1"), style_recorded("bank:0c1d")
    (True, None, None)
    """
    kind, _, version = fingerprint.partition("-")
    return STYLES.get(int(version)) if kind == RENDER and version.isdecimal() else None


def secrets_named(name: str | Path, key: Key, drawings: int = FIRST.version) -> Secrets:
    """``render``, drawings of that version, or the folder of a bank that `unlearnable semantics build` wrote.

    Raises:
        FileNotFoundError: there is no bank.
        ValueError: it is broken, or its build has not come to its end.
    """
    if str(name) == RENDER:
        return RenderedSecrets(key, STYLES[drawings])
    return BankSecrets(key, Bank.load(Path(name)))
