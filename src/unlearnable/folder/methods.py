"""A protection at work on one folder: a secret is hidden in every picture, or pictures are perturbed one by one.

The third kind, which looks at all pictures together, is `folder.whole_set`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import median_low

import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from unlearnable.folder.dealing import deal_secrets, working_samples
from unlearnable.folder.job import working_picture
from unlearnable.folder.manifest import HIDING, ManifestEntry, Report
from unlearnable.folder.method import SEED, Inputs, Method, RefusedError, hashed
from unlearnable.hiding.inference import perturbations, prepare, weights_digest, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.hiding.surrogates import resized
from unlearnable.hiding.targeting import Targeting
from unlearnable.images.imageset import ImageSet
from unlearnable.images.photos import Photo
from unlearnable.images.scan import Found
from unlearnable.keys import KEY_BYTES, Key
from unlearnable.options import Deal
from unlearnable.protections.base import Perturber, Streaming
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.registry import spec_of
from unlearnable.semantics.secrets import RENDER, secrets_named


class Hiding(Method):
    """Deep hiding: each class has its secret, each picture a variation of it.

    Args:
        protection: with its parameters.
        working_size: px, long side.
        device: of the network; the best one of the machine that perturbs when None.
    """

    def __init__(self, protection: DeepHiding, working_size: int, device: torch.device | None) -> None:
        self.protection, self.working_size, self.device = protection, working_size, device
        self.gains_from_gpu = device is None or device.type == "cuda"
        self.private = () if protection.secrets == RENDER else (Path(protection.secrets).resolve(),)
        (source,) = self.private or (RENDER,)
        folder = weights_named(protection.weights)
        self.hider, self.weights = Hider.load(folder), weights_digest(folder)
        self.secrets = secrets_named(source, Key(bytes(KEY_BYTES)), self.hider.drawings)  # a new key is made later
        self.spec, self.capacity = HIDING, self.secrets.capacity
        self.options = {"per": protection.per, "deal": protection.deal, "stamp": protection.stamp}
        self.options |= {"secrets": self.secrets.fingerprint}
        if protection.strength != "full":
            self.options["strength"] = protection.strength
        if protection.pull:
            self.options |= {"pull": protection.pull, "surrogates": protection.surrogates}
            self.options["networks"] = hashed(protection)

    def inspect(self, src: Path, found: list[Found]) -> list[Found]:
        """Remember where they are, too."""
        self.src, self.found = src, found
        return super().inspect(src, found)

    def begin(self, owner: Key, report: Report, dst: Path, taken: Sequence[int]) -> list[int]:
        """Deal the secrets."""
        self.secrets = self.secrets.with_key(owner)
        deal: Deal = report.options["deal"]
        numbers = deal_secrets(deal, self.src, self.found, report.classes, taken, self.secrets, self.working_size)
        if self.protection.pull:
            self.seen = self._look(report.classes)
        del self.src, self.found
        return numbers

    def _look(self, classes: Sequence[str]) -> tuple[UInt8[Tensor, "n 3 side side"], Int64[Tensor, " n"], int]:
        """What surrogates look at to know where classes lie: some pictures, their classes, and how many there are."""
        look = self.protection.pulling.look
        samples = working_samples(self.src, self.found, classes, look.read_at, look.per_class, look.in_all)
        pictures = [(label, torch.tensor(picture)) for label, of_class in enumerate(samples) for picture in of_class]
        if not pictures:
            raise RefusedError("expected pictures that can be read, to see where their features lie, got none")
        labels = torch.tensor([label for label, _ in pictures])
        short = median_low(min(picture.shape[1:]) for _, picture in pictures)
        side = min(short, look.side) if self.protection.pulling.learns else look.side
        squares = [resized(picture[None].float(), side).round().to(torch.uint8) for _, picture in pictures]
        seen = ImageSet(torch.cat(squares), labels, tuple(classes))
        self.protection.pulling.check_serves(seen)
        return seen.images, seen.labels, len(classes)

    @cached_property
    def targeting(self) -> Targeting:
        """What pulls, on the machine that perturbs."""
        return self.protection.pulling.targeting(*self.seen, self.secrets.key, self.device)

    @cached_property
    def prepared(self) -> Hider:
        """The network, for use."""
        return prepare(self.hider, self.device)

    @cached_property
    def draw(self) -> Callable[..., UInt8[ndarray, "3 h w"]]:
        """`Secrets.draw`, which keeps the last ones."""
        return lru_cache(maxsize=16)(self.secrets.draw)

    def inputs(self, entry: ManifestEntry, photo: Photo) -> Inputs:
        """Cover and secret."""
        cover = working_picture(photo, self.working_size)
        index = self.secrets.index(int(entry.variation or 0), entry.file)
        return cover, self.draw(entry.secret_number, index, *cover.shape[1:])

    def perturb(self, entries: Sequence[ManifestEntry], *inputs: Tensor) -> Float[Tensor, "n 3 h w"]:
        """Hide the secrets, and add the stamps where the working picture is the picture itself."""
        covers, secrets = inputs
        labels = [int(entry.class_index or 0) for entry in entries]
        changes = perturbations(self.prepared, covers, secrets)
        with_stamps = self.protection.with_stamps(changes, covers, labels, self.secrets.key)
        full_size = torch.tensor([(entry.height, entry.width) == covers.shape[-2:] for entry in entries])
        changes = torch.where(full_size[:, None, None, None], with_stamps, changes)
        if not self.protection.pull:
            return changes
        return self.protection.with_pull(changes, covers, torch.tensor(labels), self.targeting)


class OneByOne(Method):
    """A protection that streams; the number of a picture in its class comes from the file's name."""

    def __init__(self, name: str, protection: Streaming, working_size: int) -> None:
        self.protection, self.working_size = protection, working_size
        self.spec, self.weights, self.options = spec_of(name, protection, whole=True), hashed(protection), {}

    def begin(self, owner: Key, report: Report, dst: Path, taken: Sequence[int]) -> list[int]:
        """See that it can serve so many classes."""
        self.classes, self.seed = len(report.classes), owner.seed(SEED)
        self.protection.perturber(self.classes, self.seed)
        return []

    @cached_property
    def perturber(self) -> Perturber:
        """What perturbs."""
        return self.protection.perturber(self.classes, self.seed)

    def inputs(self, entry: ManifestEntry, photo: Photo) -> Inputs:
        """The working picture."""
        return (working_picture(photo, self.working_size),)

    def perturb(self, entries: Sequence[ManifestEntry], *inputs: Tensor) -> Float[Tensor, "n 3 h w"]:
        """A batch."""
        labels, numbers = (torch.tensor([getattr(e, of) for e in entries]) for of in ("class_index", "variation"))
        (pictures,) = inputs
        return self.perturber(pictures, labels, numbers)
