from sets import labelled, noisy, smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.images.imageset import ImageSet, to_bytes

TINY = "dvae:steps=160,channels=24,batch_size=32"


def distance(one: ImageSet, other: ImageSet) -> float:
    return (one.images.float() - other.images.float()).square().mean().sqrt().item()


def clean() -> ImageSet:
    data = smooth(320, side=16)
    return ImageSet(data.images // 2 + 64, data.labels, data.classes)  # so that nothing is clipped


def test_most_of_a_pattern_of_the_class_goes():
    originals = clean()
    signs = noisy(4, 16, 16, seed=9) // 128 * 2.0 - 1
    published = ImageSet(to_bytes(originals.images + 8 * signs[originals.labels]), originals.labels, originals.classes)
    purified = countermeasure_named(TINY).purify(published, Knowledge(seed=1))
    left = purified.images.float() - originals.images.float()
    for label in range(4):
        amplitude = (left[originals.labels == label].mean(0) * signs[label]).mean()
        assert amplitude.abs() < 2  # of 8


def test_clean_pictures_stay_near_themselves():
    originals = clean()
    assert originals.images.float().std() > 30
    assert distance(countermeasure_named(TINY).purify(originals, Knowledge(seed=1)), originals) < 12


def test_sides_that_eight_does_not_divide():
    data = labelled(noisy(8, 18, 21))
    purified = countermeasure_named("dvae:steps=2,channels=4").purify(data, Knowledge())
    assert purified.images.shape == data.images.shape
