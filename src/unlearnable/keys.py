"""The owner's secret key: 32 random bytes that decide which secrets a set of pictures gets.

What a key draws must stay what it is for years, or nobody could reveal what was published. Digests are HMAC-SHA256, and
numpy promises the bits of PCG64; it does not promise what `numpy.random.Generator` makes of them, nor do torch, Pillow
and FreeType promise anything of the kind. ``tests/test_golden.py`` pins what they draw, so that a change is seen.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

KEY_BYTES = 32


@dataclass(frozen=True)
class Key:
    """32 bytes; `repr` and errors show the fingerprint at most, never the bytes.

    Examples:
        >>> from unlearnable import Key
        >>> key = Key.open("key")  # made where there is none
        >>> key == Key.read("key"), len(key.fingerprint)
        (True, 16)
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"expected a key of {KEY_BYTES} bytes, got {len(self.secret)}")

    @classmethod
    def open(cls, path: str | Path) -> "Key":
        """Read the key at ``path``; make it, readable by the owner alone (mode 0600), where there is none.

        Raises:
            ValueError: the file there is not a key.
        """
        path = Path(path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return cls.read(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(descriptor)  # a power cut must not lose it when copies are out
        except BaseException:
            path.unlink()  # of a full disk, say: half a key would be in the way of the next
            raise
        return cls.read(path)

    @classmethod
    def read(cls, path: str | Path) -> "Key":
        """Read an existing key."""
        with Path(path).expanduser().open("rb") as file:
            content = file.read(KEY_BYTES + 1)
        try:
            return cls(content)
        except ValueError as error:
            raise ValueError(f"{path} is not a key file: {error}; name another --key") from None

    @classmethod
    def of_seed(cls, seed: int) -> "Key":
        """The key of an experiment that others repeat: no secret at all."""
        return cls(seed.to_bytes(KEY_BYTES, "big"))

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the key without giving it away."""
        return hmac.new(self.secret, b"unlearnable fingerprint", hashlib.sha256).hexdigest()[:16]

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """A random generator for one purpose, the same on every machine, unrelated to every other purpose's."""
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._digest(purpose), "big")))

    def seed(self, *purpose: str | int) -> int:
        """The same for what is seeded with a number: 40 bits, which torch can take a million times over."""
        return int.from_bytes(self._digest(purpose)[:5], "big")

    def _digest(self, purpose: tuple[str | int, ...]) -> bytes:
        return hmac.new(
            self.secret, "/".join(map(str, purpose)).encode(errors="surrogateescape"), hashlib.sha256
        ).digest()


def default_key_file() -> Path:
    """The key in the user's own settings folder.

    Raises:
        ValueError: this user has none.
    """
    import typer

    folder = Path(typer.get_app_dir("unlearnable"))
    if not folder.is_absolute():
        raise ValueError("expected a home folder for your key, and this user has none; name a file with --key")
    return folder / "key"
