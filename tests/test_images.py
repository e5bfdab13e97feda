import numpy as np
import pytest
import torch

from samples import picture
from sets import labelled, noisy
from unlearnable import ImageSet


def test_labels_must_fit():
    images = torch.from_numpy(np.asarray(picture()).transpose(2, 0, 1).copy())[None]
    with pytest.raises(ValueError, match="labels below 1"):
        ImageSet(images, torch.tensor([1]), ("only",))
    with pytest.raises(ValueError, match="as many labels"):
        ImageSet(images[:0], torch.tensor([], dtype=torch.int64), ("only",))


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/b", "..", ""])
def test_a_class_name_leads_nowhere_else(name, tmp_path):
    data = labelled(noisy(2), classes=2)
    with pytest.raises(ValueError, match="names of folders"):
        ImageSet(data.images, data.labels, ("cat", name)).save(tmp_path / "deep" / "set")
    assert not list(tmp_path.iterdir())
