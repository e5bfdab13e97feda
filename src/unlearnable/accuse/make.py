"""Make the probes of one protected folder, and seal the test."""

import hashlib
import secrets as random_bytes
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.accuse.covers import Covers
from unlearnable.accuse.design import Extent, decoy_keys, drawn
from unlearnable.accuse.ownership import Ownership
from unlearnable.accuse.probes import CONTRAST, STRENGTH, probe_pictures
from unlearnable.accuse.sealed import PICTURES, SEALED, Sealed, SealedProbe, write_template
from unlearnable.compute.devices import device_named
from unlearnable.hiding.inference import prepare
from unlearnable.images.encode import encode_photo
from unlearnable.images.photos import Photo
from unlearnable.keys import Key
from unlearnable.semantics.secrets import RENDER
from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.provenance import __version__

QUERIES, LEVEL = 3000, 0.01


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
            protected classes, no class is shown on its own pictures.
        key: the owner's key file. It does not go into what is written.
        out: new folder.
        originals: the folder that was protected, at which the decoys' secrets are dealt, too; not needed for one class,
            nor where secrets are dealt in order.
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
    extent = Extent.within(queries, level, len(owned.classes))
    classes = owned.classes[: extent.classes]
    seed = seed or random_bytes.token_bytes(32)
    rng = np.random.default_rng(list(seed))
    waves = owned.waves(Path(originals) if originals else None)
    on_stage("reading clean pictures", 0, 1)
    covers = Covers.draw(clean, owned.published, classes, extent.turns, owned.size, rng)
    on_stage("reading clean pictures", 1, 1)
    keys = owned.keys(classes, decoy_keys(seed, extent.decoys), waves, partial(on_stage, "dealing decoys"))
    probes = drawn(extent, covers.places, rng)
    building = out.with_name(out.name + PARTIAL)
    shutil.rmtree(building, ignore_errors=True)
    (building / PICTURES).mkdir(parents=True)
    per, hider = owned.report.options["per"], prepare(owned.hider, device_named(device))
    sealed_probes: list[SealedProbe] = []
    for batch in probe_pictures(hider, covers.images, keys, probes, per):
        for picture in batch:
            number, probe = len(sealed_probes), probes[len(sealed_probes)]
            file = f"{number + 1:0{len(str(len(probes)))}}.png"
            photo = Photo(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
            content = encode_photo(photo, "png")
            (building / PICTURES / file).write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            sealed_probes.append(SealedProbe(**asdict(probe), file=file, sha256=digest))
        on_stage("hiding", len(sealed_probes), len(probes))
    sealed = Sealed(
        version=__version__,
        key=owned.report.key,
        weights=owned.report.weights,
        secrets=owned.secrets.fingerprint,
        per=per,
        level=level,
        decoys_seed=seed.hex(),
        classes=classes,
        secret_numbers=[list(of_key.numbers) for of_key in keys],
        contrast=CONTRAST,
        strength=STRENGTH,
        covers=covers.digests,
        probes=sealed_probes,
    )
    write_template(building, sealed.files)
    sealed.save(building)
    building.rename(out)
    return sealed


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
