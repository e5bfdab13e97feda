"""What an owner brings to an accusation: a protected folder, the key, and which secret serves which class."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

import numpy as np

from unlearnable.accuse.design import OWNER
from unlearnable.accuse.probes import KeySecrets
from unlearnable.folder.dealing import ClassWaves
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.reveal import claimed_secrets
from unlearnable.hiding.inference import weights_recorded
from unlearnable.hiding.network import Hider
from unlearnable.images.scan import Found, scan
from unlearnable.keys import Key
from unlearnable.protections.learnt import is_learnt
from unlearnable.semantics.secrets import Secrets
from unlearnable.semantics.thumbnails import standardised

SIDE = 64  # px, at which keys are compared


@dataclass(frozen=True)
class Ownership:
    """A protected folder, and the key with which it was protected.

    Attributes:
        report: of the folder.
        entries: of its protected pictures.
        hider: with the weights that hid the secrets.
        secrets: the owner's.
    """

    report: Report
    entries: list[ManifestEntry]
    hider: Hider
    secrets: Secrets

    @classmethod
    def of(cls, protected: Path, key: Path, secrets: str | Path, weights: str | Path | None) -> "Ownership":
        """Read what there is, and see that it belongs together.

        Raises:
            FileNotFoundError: there is no protected picture, or no key.
            ValueError: nothing is hidden in them, or another key, other weights or other secrets were.
        """
        report = Report.load(protected)
        entries = [entry for entry in read_manifest(protected).values() if entry.status == "protected"]
        if not report.hides:
            raise ValueError(
                f"nothing is hidden in the pictures of {protected}: they were protected by {report.method}"
            )
        if not entries:
            raise FileNotFoundError(f"expected protected pictures in {protected}, found none")
        if (given := Key.read(key).fingerprint) != report.key:
            raise ValueError(f"{protected} was protected with the key {report.key}, and {key} is {given}")
        hider = Hider.load(weights_recorded(report.weights, weights))
        return cls(report, entries, hider, claimed_secrets(key, secrets, hider, report.options.get("secrets")))

    @property
    def classes(self) -> list[str]:
        """Those that have pictures, the largest first: they are tested where not all can be."""
        counts = Counter(entry.class_name for entry in self.entries)
        return sorted((name for name in self.report.classes if counts[name]), key=lambda name: -counts[name])

    @property
    def pulls(self) -> bool:
        """Whether the pictures were pulled against backbones, to other classes of which there may be clean pictures.

        Of those that were pulled away from what a network had learnt of them most is what is hidden, and tells more.
        """
        options = self.report.options
        surrogates = options.get("surrogates", "")
        backbones = bool(surrogates) and not is_learnt(surrogates.partition("+")[0])
        return backbones and "classes" not in options

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels at which secrets were hidden, of the median picture."""
        sizes = ((entry.working_width or 1, entry.working_height or 1) for entry in self.entries)
        width, height = (median_low(lengths) for lengths in zip(*sizes, strict=True))
        return width, height

    @property
    def published(self) -> set[str | None]:
        """SHA-256 of the files that were protected, and of their copies."""
        return {digest for entry in self.entries for digest in (entry.sha256_input, entry.sha256_output)}

    def numbers(self, classes: Sequence[str], dealt: Sequence[int]) -> list[int]:
        """Of the secrets of some classes, where all are dealt so."""
        return [dealt[self.report.classes.index(name)] for name in classes]

    def waves(self, originals: Path | None) -> ClassWaves | None:
        """Of the pictures to which secrets were dealt contrarily; None where the pictures do not matter.

        Raises:
            ValueError: they are not those to which the owner's were.
        """
        if self.report.options["deal"] == "order" or len(self.report.classes) == 1:
            return None
        if originals is None or not originals.is_dir():
            raise ValueError(
                f"expected the folder that was protected, got {originals}: the secrets of decoys are dealt at the same "
                "pictures as yours. Name it by --originals"
            )
        found = self._as_dealt(originals)
        waves = ClassWaves.of(originals, found, self.report.classes, self.report.options["working_size"])
        if waves.deal(self.secrets) != self.report.secret_numbers:
            raise ValueError(
                f"dealt at the pictures of {originals}, your key gives its classes other secrets than were hidden: "
                "decoys would be dealt otherwise than you. Name by --originals the folder that was protected, as it "
                "was then; of a folder that got more classes later nothing can be shown"
            )
        return waves

    def _as_dealt(self, originals: Path) -> list[Found]:
        """The files that were looked at when the secrets were dealt, each with its class."""
        found = [file for file in scan(originals) if not file.refused]
        if "classes" not in self.report.options:
            return found
        classed = {entry.file: self.report.found(entry) for entry in self.entries}
        return [classed[file.name] for file in found if file.name in classed]

    def keys(
        self,
        classes: Sequence[str],
        decoys: Sequence[Key],
        waves: ClassWaves | None,
        on_decoy: Callable[[int, int], None],
    ) -> list[KeySecrets]:
        """The owner's secrets of the classes as they were hidden, then the decoys', dealt alike.

        Raises:
            ValueError: a decoy has the same.
        """
        as_hidden = self.report.secret_numbers
        keys = [KeySecrets(self.secrets, self.numbers(classes, as_hidden))]
        own = _shapes(keys[OWNER])
        for done, decoy in enumerate(decoys, 1):
            secrets = self.secrets.with_key(decoy)
            keys.append(KeySecrets(secrets, self.numbers(classes, waves.deal(secrets) if waves else as_hidden)))
            if _shapes(keys[-1]) == own:
                raise ValueError(
                    "expected keys that differ: another one gives the same classes of the bank, which no model can "
                    "tell from yours. Protect with a larger bank, or with --deal order"
                )
            on_decoy(done, len(decoys))
        return keys


def _shapes(key: KeySecrets) -> list[bytes]:
    """What the pictures of each class have in common, whatever their sign."""
    shapes = (standardised(key.secrets.shape(number, SIDE, SIDE)) for number in key.numbers)
    return [np.abs(shape).round(6).tobytes() for shape in shapes]
