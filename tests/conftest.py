"""Shapes are checked in every test: the hook must be in place before the package is imported."""

from jaxtyping import install_import_hook

install_import_hook("unlearnable", "checking.checked")

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from samples import picture, random_hider  # noqa: E402

# Wall-clock limits make no sense on a shared machine.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Test processes share the cores among themselves."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"needs the data sets in {DATA}")
    return DATA


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A folder with the weights of a small random network: enough for everything but quality."""
    folder = tmp_path_factory.mktemp("weights")
    random_hider().save(folder)
    return folder


@pytest.fixture
def job(tmp_path, weights):
    """protect_folder with the small weights and a key of this test."""

    from unlearnable import protect_folder

    def run(src, dst=tmp_path / "out", **options):
        return protect_folder(src, dst, **{"key": tmp_path / "key", "weights": weights, **options})

    return run


@pytest.fixture
def photos(tmp_path) -> Path:
    """Three classes of small PNGs and JPEGs, one of them nested."""
    folder = tmp_path / "photos"
    for index, name in enumerate(["cat/a.png", "cat/deep/b.jpg", "dog/a.jpg", "dog/c.png", "owl/ö ü.png"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(index, 40 + 2 * index, 30).save(folder / name)
    return folder


@pytest.fixture
def covers(tmp_path) -> Path:
    """Four small photographs for the training of a hiding network."""
    folder = tmp_path / "covers"
    folder.mkdir()
    for index in range(4):
        picture(index, 60, 50).save(folder / f"{index}.png")
    return folder
