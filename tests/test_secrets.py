import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banks import small_bank
from unlearnable.datasets import load
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.semantics.identify import score_key
from unlearnable.semantics.render import MAX_CLASSES, render, scene
from unlearnable.semantics.secrets import BankSecrets, RenderedSecrets, secrets_named
from unlearnable.semantics.thumbnails import lattice, thumbnail

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return small_bank(tmp_path_factory.mktemp("bank"), classes=6, per_class=4)


@pytest.fixture(scope="module")
def secrets(bank):
    return BankSecrets(KEY, bank)


def served(secrets, label, index):
    """The class and the picture of the bank that a secret is, drawn at the bank's own size."""
    drawn = secrets.draw(label, index, 32, 32).transpose(1, 2, 0)
    for of_class in range(secrets.capacity):
        for image in range(len(secrets.bank.classes[of_class].pictures)):
            if np.array_equal(drawn, secrets.bank.picture(of_class, image)):
                return of_class, image
    raise AssertionError("no picture of the bank")


def test_rendered():
    secrets = secrets_named("render", KEY)
    assert isinstance(secrets, RenderedSecrets)
    assert (secrets.capacity, secrets.fingerprint) == (MAX_CLASSES, "render-2")
    assert np.array_equal(secrets.draw(3, 7, 20, 30), render(KEY, 3, 7, 20, 30))


@given(height=st.integers(1, 400), width=st.integers(1, 400), label=st.integers(0, MAX_CLASSES - 1))
def test_the_shape_of_a_drawing_is_that_of_some_of_its_pixels(height, width, label):
    secrets = RenderedSecrets(KEY)
    shape = secrets.shape(label, height, width)
    assert shape.shape == secrets.seen(secrets.draw(label, 0, height, width)).shape
    whole = scene(KEY, label).tone(height, width)
    np.testing.assert_allclose(shape, whole[lattice((height, width))], atol=1.01 / 255)


@given(height=st.integers(1, 99), width=st.integers(1, 99))
def test_the_shape_of_a_bank_has_one_size(secrets, height, width):
    assert np.array_equal(secrets.shape(2, height, width), secrets.shape(2, 5, 5))
    assert secrets.seen(secrets.draw(2, 0, height, width)).shape == secrets.shape(2, height, width).shape


def test_the_key_deals_the_classes_of_a_bank(secrets):
    classes = [served(secrets, label, 0)[0] for label in range(6)]
    assert sorted(classes) == list(range(6))
    others = {tuple(served(secrets.with_key(Key.of_seed(n)), label, 0)[0] for label in range(6)) for n in range(4)}
    assert len(others | {tuple(classes)}) == 5


def test_the_key_chooses_the_picture_of_an_index(secrets):
    for label in range(3):
        places = [served(secrets, label, index) for index in range(24)]
        assert len({of_class for of_class, _ in places}) == 1
        assert {image for _, image in places} == set(range(4))
        assert places == [served(secrets, label, index) for index in range(24)]


@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_any_size(secrets, height, width):
    drawn = secrets.draw(0, 0, height, width)
    assert drawn.shape == (3, height, width) and drawn.dtype == np.uint8


@pytest.mark.parametrize("label", [-1, 6])
def test_class_indices_are_bounded(secrets, label):
    with pytest.raises(ValueError, match="from 0 to 5"):
        secrets.draw(label, 0, 8, 8)


def test_named(bank, tmp_path):
    named = secrets_named(bank.folder, KEY)
    assert named == BankSecrets(KEY, bank)
    assert named.fingerprint == f"bank:{bank.fingerprint}"
    with pytest.raises(FileNotFoundError, match=r"bank\.json"):
        secrets_named(tmp_path, KEY)


def test_a_key_is_told_from_decoys(secrets):
    rng = np.random.default_rng(0)
    revealed = {
        (label, 64, 64): [
            secrets.seen(
                np.clip(secrets.draw(label, 3, 64, 64) + rng.normal(0, 40, (3, 64, 64)), 0, 255).astype(np.uint8)
            )
        ]
        for label in range(6)
    }
    right, wrong = (score_key(secrets.with_key(key), revealed, decoys=200) for key in (KEY, OTHER))
    assert right.p_value < 0.05 < wrong.p_value
    assert right.similarity > 0.8 > wrong.similarity


def test_a_bank_of_one_class_tells_no_keys_apart(tmp_path):
    secrets = BankSecrets(KEY, small_bank(tmp_path, classes=1, per_class=2))
    score = score_key(secrets, {(0, 32, 32): [thumbnail(secrets.draw(0, 0, 32, 32))]}, decoys=20)
    assert (score.beaten, score.p_value, score.deviations) == (0, 1.0, 0.0)


def test_deep_hiding_takes_a_bank(bank, weights):
    toy = load("toy:count=8,size=16")
    spec = f"deep_hiding:weights={weights},secrets={bank.folder}"
    protection = protection_named(spec)
    assert [file.name for file in protection.find_files()] == ["model.safetensors", "bank.json"]
    images = protection(toy).images
    assert (images != protection_named(f"deep_hiding:weights={weights}")(toy).images).any()
    assert (images != protection_named(f"{spec},per=sample")(toy).images).any()
