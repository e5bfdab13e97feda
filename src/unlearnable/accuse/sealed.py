"""What fixes a test before its outcome is known: the sealed record that lies beside the probes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.accuse.answers import ANSWER, PICTURE
from unlearnable.accuse.design import Extent, Probe
from unlearnable.images.scan import is_clutter
from unlearnable.storage.atomic import write
from unlearnable.storage.decode import check_inside, decode, expecting, from_json
from unlearnable.storage.provenance import __version__

Shown = Literal["secrets", "pairs"]  # what a key is known by

SEALED, PICTURES, TEMPLATE = "sealed.json", "pictures", "answers.csv"


@dataclass(frozen=True)
class SealedProbe(Probe):
    """A probe in its file, which may be that of other keys' probes, too.

    Attributes:
        file: its name below ``pictures``.
        sha256: of the file.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Sealed:
    """A test that is fixed.

    Attributes:
        version: of this package; another may hide otherwise.
        shown: the ``secrets`` that keys hide in pictures, or the ``pairs`` of classes to which they pull.
        key: the fingerprint of the owner's key, which gives nothing of it away.
        weights: SHA-256 of the hiding network's.
        secrets: fingerprint of what the keys choose from.
        per: whether a class shares one secret.
        level: the p-value below which something counts as shown.
        decoys_seed: from which the decoys' keys can be made again, in hexadecimal digits.
        classes: the owner's names of the classes that are tested.
        secret_numbers: of every key, the owner's first, and every class; of pairs the place of the other class.
        contrast: what is left of a cover's.
        strength: RMS of what is hidden, in grey levels.
        covers: SHA-256 of the files of the clean pictures.
        probes: of secrets in the order in which they are shown, of pairs key by key.
    """

    version: str
    shown: Shown
    key: str
    weights: str
    secrets: str
    per: str
    level: float
    decoys_seed: str
    classes: list[str]
    secret_numbers: list[list[int]]
    contrast: float
    strength: float
    covers: list[str]
    probes: list[SealedProbe]

    @property
    def extent(self) -> Extent:
        """How much is asked."""
        keys, classes = len(self.secret_numbers), len(self.classes)
        return Extent(keys - 1, classes, len(self.probes) // (keys * classes))

    @cached_property
    def files(self) -> list[str]:
        """Names of the pictures, in the order in which they are shown."""
        return sorted({probe.file for probe in self.probes})

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self)) + "\n"

    @property
    def seal(self) -> str:
        """SHA-256 of the record: whoever has it can tell later that nothing was changed."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write it beside the pictures, whole or not at all."""
        write(folder / SEALED, self.to_json())

    @classmethod
    def load(cls, folder: Path) -> "Sealed":
        """Read the record of a folder of probes, and see that it is one that this version can judge.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is broken, of another version, or a test that could not have been drawn.
        """
        file = folder / SEALED
        if not file.is_file():
            raise FileNotFoundError(f"expected {file}, as `unlearnable accuse probe` writes it, found none")
        with expecting("the sealed record of probes", file):
            content = from_json(file.read_text(), dict)
            if content.get("version") != __version__:
                raise ValueError(f"made by version {content.get('version')}, and this is {__version__}: judge it there")
            sealed: Sealed = decode(content, cls)
            sealed._check()
        return sealed

    def check_pictures(self, folder: Path) -> None:
        """Check that the pictures are those of the record.

        Raises:
            FileNotFoundError: one is not there.
            ValueError: one is another, or there are more.
        """
        pictures = folder / PICTURES
        for name, digest in {(probe.file, probe.sha256): None for probe in self.probes}:
            if hashlib.sha256((pictures / name).read_bytes()).hexdigest() != digest:
                raise ValueError(f"{pictures / name} is not the picture of the sealed record; make new probes")
        named = {file.name for file in pictures.iterdir() if not is_clutter(file.name)}
        if more := sorted(named - set(self.files)):
            raise ValueError(f"expected the pictures of the sealed record alone in {pictures}, found {more[0]}")

    def arranged(self, rows: Float[ndarray, "files ..."]) -> Float[ndarray, "keys turns classes ..."]:
        """What belongs to the probes, by key, turn and class."""
        extent, place_of = self.extent, {name: place for place, name in enumerate(self.files)}
        places = np.empty((1 + extent.decoys, extent.turns, extent.classes), dtype=np.int64)
        for probe in self.probes:
            places[probe.key, probe.turn, probe.label] = place_of[probe.file]
        table: Float[ndarray, "keys turns classes ..."] = rows[places]
        return table

    def _check(self) -> None:
        """Every key shows every class equally often, on the same covers."""
        if not (self.classes and self.secret_numbers):
            raise ValueError("expected classes and keys, got none")
        extent, shown = self.extent, {(probe.key, probe.turn, probe.label): probe.cover for probe in self.probes}
        wanted = [
            (key, turn, label)
            for key in range(1 + extent.decoys)
            for turn in range(extent.turns)
            for label in range(extent.classes)
        ]
        if sorted(shown) != sorted(wanted) or len(self.probes) != len(wanted) or not wanted:
            raise ValueError("expected every key to show every class equally often")
        if any(len(numbers) != len(self.classes) for numbers in self.secret_numbers):
            raise ValueError("expected a number of every key and class")
        covers: dict[tuple[int, int], int] = {}
        for (key, turn, label), cover in shown.items():
            same = (turn, label if self.shown == "secrets" else self.secret_numbers[key][label])
            if covers.setdefault(same, cover) != cover:
                raise ValueError("expected every key on the same covers")
        if self.shown == "secrets" and len(self.files) < len(self.probes):
            raise ValueError("expected every picture once")
        if self.shown == "pairs":
            self._check_pairs()
        for file in self.files:
            check_inside(file)

    def _check_pairs(self) -> None:
        """Every key pairs every class with one, none as another does; and a cover has one file."""
        every = list(range(len(self.classes)))
        alike = len({tuple(pairs) for pairs in self.secret_numbers}) < len(self.secret_numbers)
        if alike or any(sorted(pairs) != every for pairs in self.secret_numbers):
            raise ValueError("expected keys that pair all classes, each in its own way")
        filed = {(probe.cover, probe.file) for probe in self.probes}
        if not len(filed) == len(self.files) == len({cover for cover, _ in filed}):
            raise ValueError("expected every picture once")


def write_template(folder: Path, names: Sequence[str]) -> None:
    """Write the template of the answers: a row for every picture, and no answer yet."""
    rows = "".join(f"{name},\n" for name in names)
    write(folder / TEMPLATE, f"{PICTURE},{ANSWER}\n{rows}")
