"""Make the probes of one protected folder, and seal the test."""

import hashlib
import secrets as random_bytes
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.accuse.drawn import Drawn
from unlearnable.accuse.hidden import draw_secrets
from unlearnable.accuse.ownership import Ownership
from unlearnable.accuse.pulled import draw_pairs, tells_keys_apart
from unlearnable.accuse.sealed import PICTURES, SEALED, Sealed, SealedProbe, write_template
from unlearnable.compute.devices import device_named
from unlearnable.images.encode import encode_photo
from unlearnable.images.photos import Photo
from unlearnable.keys import Key
from unlearnable.options import LEVEL, QUERIES
from unlearnable.semantics.secrets import RENDER
from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.provenance import __version__


def make_probes(
    protected: str | Path,
    clean: str | Path,
    key: str | Path,
    out: str | Path,
    *,
    originals: str | Path | None = None,
    queries: int = QUERIES,
    level: float = LEVEL,
    secrets: str | Path = RENDER,
    weights: str | Path | None = None,
    seed: bytes | None = None,
    device: str | None = None,
    on_stage: Callable[[str, int, int], None] | None = None,
) -> Sealed:
    """Write pictures to show to a suspect model, a template for its answers, and the sealed record of the test.

    Args:
        protected: a folder that `protect_folder` wrote.
        clean: pictures that nobody trained on, the owner's or others': covers. Where their sub-folders are named as the
            protected classes, no class is shown on its own pictures. Of a folder that was protected against backbones
            there must be such a sub-folder of every class.
        key: the owner's key file. It does not go into what is written.
        out: new folder.
        originals: the folder that was protected, at which the decoys' secrets are dealt, too; not needed for one class,
            nor where secrets are dealt in order, nor against backbones.
        queries: pictures at most.
        level: the p-value to be reached.
        secrets: as for `protect_folder`: drawings, or the folder of a bank.
        weights: the same; those of the report, where they ship, when None.
        seed: of the decoys and everything drawn, any bytes; random when None.
        device: torch device; CUDA where there is one when None.
        on_stage: called with what is being done, how many of how many.

    Returns:
        The sealed record. Its ``seal``, deposited with somebody else before the model is asked, shows later that the
        test was fixed then.

    Raises:
        ValueError: the key is not that of the folder, nothing is hidden there, the originals are others,
            a clean picture was published, or there are too few.
        FileNotFoundError: a folder holds nothing.

    Examples:
        >>> from pathlib import Path
        >>> from unlearnable import load, make_probes, protect_folder
        >>> load("toy:count=40").save(Path("photos"))
        >>> load("toy:count=40,seed=1").save(Path("others"))
        >>> _ = protect_folder("photos", "protected", key="key", strength="full", deal="order")
        >>> sealed = make_probes("protected", "others", "key", "probes", queries=160, level=0.05)
        >>> len(sealed.probes), len(sealed.seal), Path("probes/answers.csv").exists()
        (160, 64, True)
    """
    on_stage = on_stage or (lambda what, done, total: None)
    out, clean = Path(out), Path(clean)
    if out.exists():
        raise ValueError(f"{out} exists already; name another --out, or judge what is there")
    owned = Ownership.of(Path(protected), Path(key), secrets, weights)
    seed = seed or random_bytes.token_bytes(32)
    if owned.pulls and tells_keys_apart(len(owned.report.classes), level):
        test = draw_pairs(owned, clean, queries, level, seed, on_stage)
    else:
        whence = Path(originals) if originals else None
        test = draw_secrets(owned, clean, queries, level, seed, whence, device_named(device), on_stage)
    building = out.with_name(out.name + PARTIAL)
    shutil.rmtree(building, ignore_errors=True)
    (building / PICTURES).mkdir(parents=True)
    written = _write(test, building / PICTURES, partial(on_stage, "writing pictures"))
    filed = ((probe, *written[place]) for probe, place in test.probes)
    sealed = Sealed(
        version=__version__,
        shown=test.shown,
        key=owned.report.key,
        weights=owned.report.weights,
        secrets=owned.secrets.fingerprint,
        per=owned.report.options["per"],
        level=level,
        decoys_seed=seed.hex(),
        classes=list(test.classes),
        secret_numbers=test.numbers,
        contrast=test.contrast,
        strength=test.strength,
        covers=test.covers.digests,
        probes=[SealedProbe(**asdict(probe), file=file, sha256=sha256) for probe, file, sha256 in filed],
    )
    write_template(building, sealed.files)
    sealed.save(building)
    building.rename(out)
    return sealed


def _write(test: Drawn, folder: Path, on_picture: Callable[[int, int], None]) -> list[tuple[str, str]]:
    """Write all pictures, each under its number; name and SHA-256 of each."""
    written: list[tuple[str, str]] = []
    for picture in chain.from_iterable(test.pictures):
        file = f"{len(written) + 1:0{len(str(test.count))}}.png"
        content = encode_photo(Photo(np.ascontiguousarray(picture.permute(1, 2, 0).numpy())), "png")
        (folder / file).write_bytes(content)
        written.append((file, hashlib.sha256(content).hexdigest()))
        on_picture(len(written), test.count)
    return written


def probes_of(protected: str | Path, clean: str | Path, key: str | Path, out: str | Path, **words: Any) -> Sealed:
    """The probes in ``out``, made where there are none: models on this machine learn nothing from being asked.

    Args:
        protected: as for `make_probes`, as is everything else.
        clean: see there.
        key: see there.
        out: see there; may hold probes.
        words: see there.

    Raises:
        ValueError: those that are there are another key's, or see `make_probes`.
    """
    if not (Path(out) / SEALED).is_file():
        return make_probes(protected, clean, key, out, **words)
    sealed = Sealed.load(Path(out))
    if sealed.key != Key.read(key).fingerprint:
        raise ValueError(f"the probes in {out} are of the key {sealed.key}, and {key} is another; name another --out")
    return sealed
