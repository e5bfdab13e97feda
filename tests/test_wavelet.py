import torch

from unlearnable.hiding.wavelet import haar, inverse_haar


def test_inverse_and_energy():
    pictures = torch.rand(3, 3, 10, 14, dtype=torch.float64)
    bands = haar(pictures)
    assert bands.shape == (3, 12, 5, 7)
    torch.testing.assert_close(inverse_haar(bands), pictures)
    torch.testing.assert_close(bands.square().sum(), pictures.square().sum())


def test_bands_are_hinets():
    """LL = a+b+c+d and so on with the phases halved, colours inside bands (HiNet's order)."""
    pictures = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    a, b = pictures[..., 0::2, 0::2] / 2, pictures[..., 1::2, 0::2] / 2
    c, d = pictures[..., 0::2, 1::2] / 2, pictures[..., 1::2, 1::2] / 2
    expected = torch.cat([a + b + c + d, -a - b + c + d, -a + b - c + d, a - b - c + d], 1)
    torch.testing.assert_close(haar(pictures), expected)
    torch.testing.assert_close(haar(torch.ones(1, 3, 2, 2))[:, :3], torch.full((1, 3, 1, 1), 2.0))
