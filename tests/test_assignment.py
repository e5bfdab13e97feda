"""Which secret serves which class."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from banks import small_bank
from unlearnable.datasets import load
from unlearnable.images.imageset import ImageSet
from unlearnable.keys import Key
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.semantics.assignment import SPARE, contrary, evenly, mean_spectrum, spectrum
from unlearnable.semantics.render import slowest_wave
from unlearnable.semantics.secrets import BankSecrets, RenderedSecrets

KEY = Key(bytes(range(32)))
keys = st.integers(0, 10_000).map(Key.of_seed)


def noise(rng, height=32, width=32):
    """A picture whose waves are weaker the finer they are, as in photographs."""
    waves = np.fft.rfft2(rng.normal(size=(3, height, width)))
    reach = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)) + 1 / max(height, width)
    plane = np.fft.irfft2(waves / reach, (height, width))
    return (128 + 40 * plane / max(plane.std(), 1e-9)).clip(0, 255).astype(np.uint8)


def stripes(rng, waves, across, height=32, width=32):
    """As many waves as one of `FIELDS` has, from left to right or from top to bottom, anywhere."""
    y, x = np.mgrid[:height, :width] / slowest_wave(height, width)
    phase = 2 * np.pi * (waves * (x if across else y) + rng.random())
    grey = 128 + rng.uniform(30, 60) * np.sin(phase) + rng.normal(0, 10, (3, height, width))
    return grey.clip(0, 255).astype(np.uint8)


def of_class(pictures):
    return mean_spectrum(map(spectrum, pictures))


def some(seed, classes):
    rng = np.random.default_rng(seed)
    return [of_class(noise(rng) for _ in range(3)) for _ in range(classes)]


def most_striped(secrets, picture, count=SPARE):
    """The number of the secret that has most of a striped picture's strongest wave."""
    wave = spectrum(picture).argmax()
    powers = [spectrum(secrets.draw(number, 0, *picture.shape[1:])) for number in range(count)]
    return int(np.argmax([power.flat[wave] / power.sum() for power in powers]))


@settings(max_examples=25)
@given(key=keys, seed=st.integers(0, 99), classes=st.integers(1, 20), kept=st.lists(st.integers(0, 40), unique=True))
def test_new_classes_get_numbers_that_are_free(key, seed, classes, kept):
    spectra = some(seed, 2) * (len(kept) + classes)
    spectra = spectra[: len(kept) + classes]
    secrets = RenderedSecrets(key)
    numbers = contrary(spectra, secrets, 32, 32, kept)
    assert numbers[: len(kept)] == kept
    assert len(set(numbers)) == len(numbers) == len(spectra)
    assert max(numbers[len(kept) :]) < len(kept) + max(classes, SPARE)
    assert numbers == contrary(spectra, secrets, 32, 32, kept)


@settings(max_examples=25)
@given(
    key=keys, seed=st.integers(0, 99), waves=st.sampled_from([2, 3]), across=st.booleans(), classes=st.integers(2, 9)
)
@pytest.mark.parametrize("size", [(32, 32), (224, 224), (60, 90), (24, 24)])
def test_stripes_do_not_get_the_most_striped_secret(size, key, seed, waves, across, classes):
    rng = np.random.default_rng(seed)
    spectra = [of_class(noise(rng, *size) for _ in range(4)) for _ in range(classes - 1)]
    striped = [stripes(rng, waves, across, *size) for _ in range(4)]
    spectra.insert(seed % classes, of_class(striped))
    numbers = contrary(spectra, RenderedSecrets(key), *size)
    assert numbers[seed % classes] != most_striped(RenderedSecrets(key), striped[0])


def test_where_there_is_no_third_secret_two_classes_swap(tmp_path):
    rng = np.random.default_rng(0)
    secrets = BankSecrets(KEY, small_bank(tmp_path, classes=2, per_class=1))
    common = [noise(rng) for _ in range(3)]
    alike = [of_class([secrets.draw(number, 0, 32, 32), *common]) for number in (0, 1)]
    assert contrary(alike, secrets, 32, 32) == [1, 0]
    assert contrary(alike[::-1], secrets, 32, 32) == [0, 1]
    with pytest.raises(ValueError, match="at most 2 classes, as many as secrets, got 3"):
        contrary([*alike, None], secrets, 32, 32)


def test_nothing_to_contradict():
    secrets, (own, *_) = RenderedSecrets(KEY), some(0, 1)
    assert contrary([own], secrets, 32, 32) == [0]
    assert contrary([], secrets, 1, 1) == []
    assert contrary([None, own, None], secrets, 32, 32) == [0, 1, 2]
    assert contrary([own, None], secrets, 32, 32, [7]) == [7, 0]
    flat = of_class(np.full((2, 3, 40, 40), 99, np.uint8))
    assert len(set(contrary([flat, flat, None], secrets, 40, 40))) == 3
    assert mean_spectrum([]) is None


@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size_grey_or_not(height, width):
    picture = np.random.default_rng(height).integers(0, 256, (3, height, width), dtype=np.uint8)
    assert spectrum(picture).shape == (32, 17)
    grey = np.broadcast_to(picture[:1], picture.shape)
    assert np.isfinite(of_class([picture, grey])).all()
    assert len(set(contrary([of_class([picture]), of_class([grey])], RenderedSecrets(KEY), height, width))) == 2


@given(length=st.integers(0, 500), count=st.integers(1, 300))
def test_evenly(length, count):
    taken = evenly(range(length), count)
    assert len(taken) == len(set(taken)) == min(length, count)
    assert taken == sorted(taken)
    if taken:
        steps = np.diff([*taken, length])
        assert taken[0] == 0 and steps.max() - steps.min() <= 1


def test_deep_hiding_deals(weights):
    rng = np.random.default_rng(0)
    pictures = [stripes(rng, 2, True) if place % 3 == 1 else noise(rng) for place in range(12)]
    data = ImageSet(torch.from_numpy(np.stack(pictures)), torch.arange(12) % 3 * 2, tuple("abcdef"))
    secrets = RenderedSecrets(Key.of_seed(0))
    contradicting = DeepHiding(weights=str(weights))._numbers(data, secrets)
    spectra = [of_class(pictures[first::3]) for first in range(3)]
    assert contradicting == dict(zip((0, 2, 4), contrary(spectra, secrets, 32, 32), strict=True))
    assert DeepHiding(weights=str(weights), deal="order")._numbers(data, secrets) == {0: 0, 2: 2, 4: 4}
    assert contradicting != {0: 0, 2: 2, 4: 4}


@pytest.mark.parametrize("spec", ["toy:count=1", "toy:count=2,size=8", "toy:count=40,size=16"])
@pytest.mark.parametrize("per", ["class", "sample"])
def test_deep_hiding_of_few_and_small_pictures(weights, spec, per):
    toy = load(spec)
    for deal in ("contrary", "order"):
        assert (DeepHiding(weights=str(weights), per=per, deal=deal)(toy).images != toy.images).any()
