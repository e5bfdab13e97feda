import pytest
import torch

from unlearnable.compute.devices import at_once


@pytest.mark.parametrize("height, width, expected", [(32, 32, 512), (32, 64, 256), (224, 224, 10), (2000, 2000, 1)])
def test_as_many_at_once_as_have_so_many_pixels_and_at_least_one(height, width, expected):
    images = torch.zeros(1, 3, 1, 1).expand(2, 3, height, width)
    assert at_once(images) == expected
    assert at_once(images, pixels=height * width * 7) == 7
