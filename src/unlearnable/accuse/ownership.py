"""What an owner brings to an accusation: a protected folder, the key, and which secret serves which class."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from unlearnable.accuse.probes import KeySecrets
from unlearnable.folder.dealing import ClassWaves
from unlearnable.folder.manifest import ManifestEntry, Report, read_manifest
from unlearnable.folder.reveal import claimed_secrets
from unlearnable.hiding.inference import generation_of, weights_digest, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.images.scan import scan
from unlearnable.keys import Key
from unlearnable.semantics.secrets import Secrets


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
        folder = weights_named(weights or generation_of(report.weights))
        if weights_digest(folder) != report.weights:
            raise ValueError(f"{protected} was protected with other weights than those of {folder}; name --weights")
        hider = Hider.load(folder)
        return cls(report, entries, hider, claimed_secrets(key, secrets, hider, report.options.get("secrets")))

    @property
    def classes(self) -> list[str]:
        """Those that have pictures, the largest first: they are tested where not all can be."""
        counts = Counter(entry.class_name for entry in self.entries)
        return sorted((name for name in self.report.classes if counts[name]), key=lambda name: -counts[name])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels at which secrets were hidden, of the median picture."""
        sizes = ((entry.working_width or 1, entry.working_height or 1) for entry in self.entries)
        width, height = (median_low(lengths) for lengths in zip(*sizes, strict=True))
        return width, height

    @property
    def originals(self) -> set[str | None]:
        """SHA-256 of the files that were protected."""
        return {entry.sha256_input for entry in self.entries}

    def numbers(self, classes: Sequence[str], dealt: Sequence[int]) -> list[int]:
        """Of the secrets of some classes, where all are dealt so."""
        return [dealt[self.report.classes.index(name)] for name in classes]

    def waves(self, looked_at: Path) -> ClassWaves | None:
        """Of the pictures to which secrets are dealt contrarily; None where the pictures do not matter.

        Raises:
            ValueError: ``looked_at`` has not the classes.
        """
        if self.report.options["deal"] == "order" or len(self.report.classes) == 1:
            return None
        found = [file for file in scan(looked_at) if not file.refused] if looked_at.is_dir() else []
        if missing := sorted(set(self.report.classes) - {file.class_name for file in found}):
            raise ValueError(
                f"expected pictures of the class {missing[0]} in {looked_at}: decoys get their secrets contrary to the "
                "same pictures as the owner. Name the folder that was protected by --originals"
            )
        return ClassWaves.of(looked_at, found, self.report.classes, self.report.options["working_size"])

    def keys(
        self,
        classes: Sequence[str],
        decoys: Sequence[Key],
        waves: ClassWaves | None,
        on_decoy: Callable[[int, int], None],
    ) -> list[KeySecrets]:
        """The owner's secrets of the classes as they were hidden, then the decoys', dealt alike."""
        as_hidden = self.report.secret_numbers
        keys = [KeySecrets(self.secrets, self.numbers(classes, as_hidden))]
        for done, decoy in enumerate(decoys, 1):
            secrets = self.secrets.with_key(decoy)
            keys.append(KeySecrets(secrets, self.numbers(classes, waves.deal(secrets) if waves else as_hidden)))
            on_decoy(done, len(decoys))
        return keys

    def dealt_again(self, classes: Sequence[str], waves: ClassWaves | None) -> int | None:
        """Of how many classes the owner gets the same secret when it is dealt like the decoys'; None without waves.

        All of them, if the pictures are the same: else decoys and owner differ in more than the key.
        """
        if not waves:
            return None
        again = self.numbers(classes, waves.deal(self.secrets))
        hidden = self.numbers(classes, self.report.secret_numbers)
        return sum(int(dealt == number) for dealt, number in zip(again, hidden, strict=True))
