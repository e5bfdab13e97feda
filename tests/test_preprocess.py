import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from scipy import ndimage
from torchvision.transforms.v2 import functional as V

from sets import labelled, noisy, smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.preprocess import Preprocess


def transformed(spec: str, images: torch.Tensor) -> torch.Tensor:
    return countermeasure_named(spec).purify(labelled(images), Knowledge()).images


def by_picture(function, images: torch.Tensor) -> torch.Tensor:
    """What ``function`` makes of every picture as an array (h, w, 3)."""
    made = [np.asarray(function(picture.permute(1, 2, 0).contiguous().numpy())) for picture in images]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2)


def by_pillow(function, images: torch.Tensor) -> torch.Tensor:
    return by_picture(lambda picture: function(Image.fromarray(picture)), images)


def distance(one: torch.Tensor, other: torch.Tensor) -> int:
    return int((one.int() - other.int()).abs().max())


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_mean(kernel):
    images = noisy()

    def mean(picture):
        return (
            ndimage.uniform_filter(picture.astype(float), (kernel, kernel, 1), mode="mirror").round().astype(np.uint8)
        )

    assert torch.equal(transformed(f"mean:kernel={kernel}", images), by_picture(mean, images))


@pytest.mark.parametrize("kernel", [3, 5])
def test_median(kernel):
    images = noisy()
    median = by_picture(lambda picture: ndimage.median_filter(picture, (kernel, kernel, 1), mode="nearest"), images)
    assert torch.equal(transformed(f"median:kernel={kernel}", images), median)


@pytest.mark.parametrize("kernel", [3, 5])
def test_mean_and_median_are_opencvs(kernel):
    cv2 = pytest.importorskip("cv2")
    images = noisy()
    mean = by_picture(lambda picture: cv2.blur(picture, (kernel, kernel)), images)
    assert distance(transformed(f"mean:kernel={kernel}", images), mean) <= 1
    median = by_picture(lambda picture: cv2.medianBlur(picture, kernel), images)
    assert torch.equal(transformed(f"median:kernel={kernel}", images), median)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bdr_is_pillows(bits):
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, -1, -1).contiguous()
    posterized = by_pillow(lambda picture: ImageOps.posterize(picture, bits), images)
    assert torch.equal(transformed(f"bdr:bits={bits}", images), posterized)
    assert len(transformed(f"bdr:bits={bits}", images).unique()) == 2**bits


def test_gray_is_pillows():
    images = noisy(count=20, height=64, width=64)
    assert torch.equal(
        transformed("gray", images), by_pillow(lambda picture: picture.convert("L").convert("RGB"), images)
    )


@pytest.mark.parametrize("kernel, sigma", [(3, 0.8), (5, 1.5)])
def test_gaussf_is_torchvisions(kernel, sigma):
    images = noisy()
    blurred = V.gaussian_blur(images, [kernel, kernel], [sigma, sigma])
    assert distance(transformed(f"gaussf:kernel={kernel},sigma={sigma}", images), blurred) <= 1
    assert distance(blurred, images) > 50


def test_gaussf_of_the_field_does_nothing():
    images = noisy()
    assert torch.equal(transformed("gaussf", images), images)
    assert torch.equal(V.gaussian_blur(images, [3, 3], [0.1, 0.1]), images)


@pytest.mark.parametrize("quality", [1, 10, 50, 95, 100])
def test_jpeg_is_pillows(quality):
    def compressed(picture):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    images = torch.cat([noisy(), smooth(3, 20).images.repeat(1, 1, 1, 2)[..., :24]])
    assert torch.equal(transformed(f"jpeg:quality={quality}", images), by_pillow(compressed, images))


@pytest.mark.parametrize("scale, small", [(0.5, (12, 10)), (0.3, (7, 6))])
def test_resize_is_pillows(scale, small):
    def resized(picture):
        return picture.resize(small, Image.Resampling.BICUBIC).resize(picture.size, Image.Resampling.BICUBIC)

    images = noisy() // 2 + 64  # away from black and white, where Pillow clips after every dimension
    assert distance(transformed(f"resize:scale={scale}", images), by_pillow(resized, images)) <= 2
    wide = noisy()
    both = transformed(f"resize:scale={scale}", wide).float(), by_pillow(resized, wide).float()
    assert (both[0] - both[1]).abs().mean() < 0.5


def test_frozen_values():
    dot = torch.zeros(1, 3, 5, 5, dtype=torch.uint8)
    dot[:, :, 2, 2] = 255
    assert transformed("gaussf:sigma=0.8", dot)[0, 0, 1:4, 1:4].tolist() == [[15, 32, 15], [32, 69, 32], [15, 32, 15]]
    assert transformed("mean", dot)[0, 1, 1:4, 1:4].tolist() == [[28] * 3] * 3
    steps = torch.tensor([0, 40, 90, 130, 170, 200, 230, 255], dtype=torch.uint8).expand(1, 3, 8, 8).contiguous()
    assert transformed("resize", steps)[0, 2, 0].tolist() == [14, 37, 84, 129, 168, 204, 232, 246]
    assert transformed("jpeg", steps)[0, 0, 0].tolist() == [4, 40, 90, 131, 161, 192, 229, 255]
    red = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1)
    assert transformed("gray", red).flatten().tolist() == [124, 124, 124]


@settings(max_examples=15)
@given(st.integers(1, 9), st.integers(3, 12), st.integers(3, 12))
def test_chunks_do_not_matter(count, height, width):
    images = noisy(count, height, width)
    for name in ("mean", "median", "gaussf:sigma=0.8", "jpeg", "resize"):
        whole = transformed(name, images)
        assert torch.equal(whole, torch.cat([transformed(name, picture) for picture in images.split(1)]))


def test_large_sets_are_treated_in_chunks(monkeypatch):
    monkeypatch.setattr("unlearnable.countermeasures.preprocess.CHUNK_VALUES", 3000)
    sizes = []

    class Counting(Preprocess):
        test = False

        def transform(self, images):
            sizes.append(len(images))
            return images

    images = noisy(5)
    assert torch.equal(Counting().purify(labelled(images), Knowledge()).images, images)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("name", ["mean", "median", "bdr", "gray", "gaussf:sigma=0.8", "jpeg", "resize"])
def test_the_classifiers_pictures(name):
    images = noisy()
    assert torch.equal(countermeasure_named(name).deploy(images), images)
    both = countermeasure_named(f"{name}{',' if ':' in name else ':'}test=true")
    assert torch.equal(both.deploy(images), transformed(name, images))
    assert not torch.equal(both.deploy(images), images)
