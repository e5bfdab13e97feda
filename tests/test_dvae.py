import torch

from sets import labelled, noisy, smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.images.imageset import ImageSet, to_bytes

TINY = "dvae:epochs=30,channels=24,learning_rate=0.005,batch_size=32"


def test_it_subtracts_the_pattern_of_the_class():
    clean = smooth(320, side=16)
    clean = ImageSet(clean.images // 2 + 64, clean.labels, clean.classes)  # so that nothing is clipped
    signs = noisy(4, 16, 16, seed=9) // 128 * 2.0 - 1
    published = ImageSet(to_bytes(clean.images + 8 * signs[clean.labels]), clean.labels, clean.classes)
    purified = countermeasure_named(TINY).purify(published, Knowledge(seed=1))
    subtracted = published.images.float() - purified.images.float()
    for label in range(4):
        both = torch.stack([subtracted[clean.labels == label].mean(0).flatten(), signs[label].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.7
    left = (purified.images.float() - clean.images.float()).square().mean().sqrt()
    assert left < 7  # of 8


def test_sides_that_eight_does_not_divide():
    data = labelled(noisy(8, 18, 21))
    purified = countermeasure_named("dvae:epochs=1,channels=4").purify(data, Knowledge())
    assert purified.images.shape == data.images.shape
