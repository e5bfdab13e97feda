import pytest
import torch

from unlearnable.hider_training.reading import ReaderConfig, lacking_shape, train_reader
from unlearnable.hiding.inference import GENERATIONS, Revealer, reveal_secrets, weights_named
from unlearnable.hiding.network import Hider
from unlearnable.hiding.reader import READER, Reader

TINY = ReaderConfig(steps=6, channels=4, sizes=(16, 32), pixels=1024)


def weights_of(folder):
    return Reader.load(folder).state_dict()


def test_before_training_it_says_what_is_revealed():
    published, revealed = torch.rand(2, 2, 3, 21, 34)
    assert torch.equal(Reader(4)(published, revealed), revealed)


@pytest.mark.parametrize("size", [(8, 8), (13, 40), (64, 33)])
def test_pictures_of_any_size_keep_it(size):
    reader = Reader(4)
    torch.nn.init.normal_(reader.leave.weight)
    read = reader(*torch.rand(2, 2, 3, *size))
    assert read.shape == (2, 3, *size)
    assert read.isfinite().all()


def test_a_killed_training_comes_to_the_same_reader(covers, tmp_path, monkeypatch):
    whole = list(train_reader("second", [covers], tmp_path / "whole", TINY))
    assert [now.step for now in whole] == list(range(6))
    monkeypatch.setattr("unlearnable.storage.checkpoint.CHECKPOINT_SECONDS", -1)
    killed = train_reader("second", [covers], tmp_path / "killed", TINY)
    for _ in range(3):
        next(killed)
    killed.close()
    assert Reader.load(tmp_path / "killed") is None
    resumed = list(train_reader("second", [covers], tmp_path / "killed", TINY))
    assert 0 < len(resumed) < 6
    for name, tensor in weights_of(tmp_path / "whole").items():
        torch.testing.assert_close(weights_of(tmp_path / "killed")[name], tensor, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="holds another"):
        list(train_reader("first", [covers], tmp_path / "killed", TINY))


def test_it_learns(covers, tmp_path):
    config = ReaderConfig(steps=40, channels=8, sizes=(32,), pixels=8 * 1024, distorted=0.0)
    lines = [now.loss for now in train_reader("second", [covers], tmp_path, config)]
    assert sum(lines[-8:]) < 0.9 * sum(lines[:8])


def test_how_much_of_the_shape_is_lacking():
    secret = torch.rand(2, 3, 16, 16)
    assert lacking_shape(0.5 * secret + 0.2, secret).item() == pytest.approx(0, abs=1e-5)
    assert lacking_shape(1 - secret, secret).item() == pytest.approx(2, abs=1e-5)


def test_no_reader_no_reading_and_a_broken_one_is_an_error(tmp_path):
    assert Reader.load(tmp_path) is None
    (tmp_path / READER).write_bytes(b"no safetensors")
    with pytest.raises(ValueError, match="expected the weights of a reader in"):
        Reader.load(tmp_path)


def test_a_banks_pictures_are_not_read_as_drawings(tmp_path):
    folder = weights_named()
    assert Revealer.of(folder, drawings=False).reader is None
    pictures = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    plain = Revealer.of(folder, drawings=False, device=torch.device("cpu"))
    assert torch.equal(plain(pictures), reveal_secrets(plain.hider, pictures))


@pytest.mark.parametrize("name", GENERATIONS)
def test_what_is_read_is_nearer_to_the_secret(name):
    """On a picture of noise that nobody trained on."""
    from unlearnable import Key, load
    from unlearnable.hiding.inference import perturbations
    from unlearnable.semantics.secrets import secrets_named

    revealer = Revealer.of(weights_named(name), drawings=True, device=torch.device("cpu"))
    if revealer.reader is None:
        assert name in ("first", "second")
        return
    covers = load("toy:size=64,count=8").images
    secrets = secrets_named("render", Key.of_seed(9), Hider.load(weights_named(name)).drawings)
    drawn = torch.stack([torch.from_numpy(secrets.draw(number, 0, 64, 64).copy()) for number in range(8)])
    published = (covers + perturbations(revealer.hider, covers, drawn)).clamp(0, 255).round().to(torch.uint8)
    read, revealed = revealer(published), reveal_secrets(revealer.hider, published)
    assert lacking_shape(read / 255, drawn / 255) < lacking_shape(revealed / 255, drawn / 255) - 0.05
