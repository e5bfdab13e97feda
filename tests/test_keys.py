import errno
import os
import stat

import pytest

from unlearnable.keys import Key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    file = tmp_path / "new" / "key"
    key = Key.open(file)
    assert len(file.read_bytes()) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Key.open(file) == Key.read(file) == key
    assert Key.open(tmp_path / "other") != key


def test_a_key_that_cannot_be_written_leaves_nothing_in_the_way(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            Key.open(tmp_path / "key")
    assert not (tmp_path / "key").exists()
    assert Key.open(tmp_path / "key") == Key.read(tmp_path / "key")


def test_a_key_does_not_show_its_bytes():
    key = Key(bytes(range(32)))
    assert "\\x" not in repr(key)
    assert key.secret.hex() not in repr(key)
    assert key.fingerprint not in key.secret.hex()
    assert len(key.fingerprint) == 16


def test_what_is_no_key_is_left_alone(tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(b"not a key")
    with pytest.raises(ValueError, match="not a key file"):
        Key.open(file)
    assert file.read_bytes() == b"not a key"
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")


def test_random_numbers_depend_on_key_and_purpose():
    first, second = Key(bytes(32)), Key(bytes(31) + b"\1")
    assert first.rng("a", 1).integers(2**60) == first.rng("a", 1).integers(2**60)
    drawn = {key.rng(*purpose).integers(2**60) for key in (first, second) for purpose in (("a", 1), ("a", 2), ("b", 1))}
    assert len(drawn) == 6


def test_seeds_depend_on_key_and_purpose_and_fit_into_40_bits():
    purposes = [("a", number) for number in range(50)]
    seeds = {key.seed(*purpose) for key in (Key(bytes(32)), Key(bytes(31) + b"\1")) for purpose in purposes}
    assert len(seeds) == 100 and 2**39 < max(seeds) < 2**40
    assert Key(bytes(32)).seed("a", 1) == Key(bytes(32)).seed("a", 1)
