import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sets import labelled, noisy, smooth
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.countermeasures.orthogonal import OrthogonalProjection
from unlearnable.countermeasures.reveal import _class_means
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protections
from unlearnable.protections.deep_hiding import DeepHiding
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipes
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights


def with_pattern(count: int, amplitude: int = 12) -> ImageSet:
    """Noise without content, and the same random pattern in all pictures of a class."""
    patterns = noisy(4, 8, 8, seed=9) // 128 * 2.0 - 1
    labels = torch.arange(count) % 4
    images = noisy(count, 8, 8) // 2 + 64 + amplitude * patterns[labels]
    return labelled(images.to(torch.uint8))


def probed(data: ImageSet) -> float:
    """Accuracy of a linear classifier on the half that it was not trained on."""
    pixels = data.images.flatten(1).float()
    pixels = (pixels - pixels.mean(0)) / 64
    (seen, unseen), (labels, truth) = pixels.chunk(2), data.labels.chunk(2)
    weight = torch.zeros(len(data.classes), pixels.shape[1], requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, weight_decay=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(seen @ weight.T, labels).backward()
        optimizer.step()
    return ((unseen @ weight.T).argmax(1) == truth).float().mean().item()


def rms(one: Tensor, other: Tensor) -> float:
    return (one.float() - other.float()).square().mean().sqrt().item()


def test_projection_removes_the_span_and_nothing_else():
    data = with_pattern(80)
    projection = OrthogonalProjection()
    purified = projection.purify(data, Knowledge(seed=3)).images.flatten(1).float()
    basis = torch.linalg.svd(projection.regression(data, 3), full_matrices=False).Vh[:3].T  # rows sum to zero
    pixels = data.images.flatten(1).float()
    inside = (pixels - pixels.mean(0)) @ basis
    left = (purified - pixels.mean(0)) @ basis
    assert inside.abs().max() > 50
    assert left.abs().max() < 1.5  # rounding to 8 bits: 0.29 on average
    outside = purified - pixels - (purified - pixels) @ basis @ basis.T
    assert outside.abs().max() < 1


def test_projection_defeats_a_linear_shortcut():
    data = with_pattern(400)
    assert probed(data) > 0.95
    assert probed(countermeasure_named("orthogonal").purify(data, Knowledge())) < 0.35  # chance: 0.25


def test_projection_keeps_pictures_in_range():
    bright = smooth(12, side=16)
    purified = countermeasure_named("orthogonal").purify(bright, Knowledge())
    assert rms(purified.images, bright.images) < 0.5 * bright.images.float().std()
    assert abs(purified.images.float().mean() - bright.images.float().mean()) < 5


def test_projection_of_a_single_class_does_nothing():
    data = labelled(noisy(6, 8, 8), 1)
    assert torch.equal(countermeasure_named("orthogonal").purify(data, Knowledge()).images, data.images)


def test_class_mean_removes_what_is_added_to_a_class():
    clean = labelled(noisy(40, 8, 8) // 2 + 64)
    added = torch.randint(-20, 21, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    published = labelled((clean.images + added[clean.labels]).to(torch.uint8))
    countermeasure = countermeasure_named("class_mean:per_class=10")
    assert torch.equal(countermeasure.purify(published, Knowledge(clean)).images, clean.images)


def test_class_mean_from_other_pictures():
    clean, published = labelled(noisy(400, 8, 8, seed=1) // 2 + 64), with_pattern(400)
    purified = countermeasure_named("class_mean").purify(published, Knowledge(clean))
    original = with_pattern(400, amplitude=0)
    assert rms(published.images, original.images) == pytest.approx(12)
    assert rms(purified.images, original.images) < 12 / 2
    assert probed(purified) < 0.4


def test_revealing_may_bring_pictures_closer_to_the_originals():
    """With the second weights; of what the third hide in these, more is added than taken away."""
    originals = smooth(8)
    published = protections.make("deep_hiding:weights=second")(originals, seed=7)
    before = rms(published.images, originals.images)
    averaged = countermeasure_named("reveal:weights=second").purify(published, Knowledge())
    alone = countermeasure_named("reveal:weights=second,average=false").purify(published, Knowledge())
    assert rms(averaged.images, originals.images) < before  # how much depends on how well the weights reveal
    assert not torch.equal(averaged.images, alone.images)


def test_revealing_with_other_weights(weights):
    published = protections.make("deep_hiding")(smooth(4), seed=7)
    guessed = countermeasure_named(f"reveal:weights={weights}").purify(published, Knowledge())
    right = countermeasure_named("reveal").purify(published, Knowledge())
    assert not torch.equal(guessed.images, right.images)


def test_secrets_are_averaged_by_class():
    secrets = torch.tensor([10, 100, 21, 200, 7], dtype=torch.uint8).view(5, 1, 1, 1).expand(-1, 3, 8, 8).contiguous()
    means = _class_means(secrets, torch.tensor([0, 1, 0, 1, 2]))
    assert means[:, 0, 0, 0].tolist() == [16, 150, 16, 150, 7]
    assert secrets[0, 0, 0, 0] == 10


def test_the_inverse_network_brings_pictures_closer_to_the_originals():
    originals, clean = smooth(16), smooth(32, seed=500)
    published = protections.make("deep_hiding")(originals, seed=7)
    inverse = countermeasure_named("inverse:per_class=8,keys=1,steps=40,channels=12,depth=4")
    purified = inverse.purify(published, Knowledge(clean, seed=1))
    assert rms(purified.images, originals.images) < 0.97 * rms(published.images, originals.images)


def test_the_inverse_network_learns_from_keys_of_its_own(monkeypatch):
    seeds = []

    def perturb(self, data, seed):
        seeds.append(seed)
        return torch.zeros(data.images.shape)

    monkeypatch.setattr(DeepHiding, "perturb", perturb)
    inverse = countermeasure_named("inverse:per_class=1,keys=3,steps=1")
    purified = inverse.purify(smooth(4), Knowledge(smooth(4), seed=0))
    assert len(set(seeds)) == 3 and not set(seeds) & set(range(10_000))
    assert torch.equal(purified.images, smooth(4).images)  # where nothing is added, nothing is taken away


def test_the_inverse_network_learns_large_pictures_from_patches():
    large = smooth(2, side=80)
    inverse = countermeasure_named("inverse:per_class=1,keys=1,steps=2,channels=2,depth=2")
    data = ImageSet(large.images, torch.tensor([0, 1]), ("a", "b"))
    assert inverse.purify(data, Knowledge(data)).images.shape == large.images.shape


def test_clean_pictures_are_added_or_used_alone():
    published, clean = labelled(noisy(12)), labelled(noisy(40, seed=1))
    mixed = countermeasure_named("mix:per_class=3").purify(published, Knowledge(clean))
    assert torch.equal(mixed.images, torch.cat([published.images, clean.images[:12]]))
    assert mixed.labels.tolist() == [0, 1, 2, 3] * 6
    alone = countermeasure_named("only_clean:per_class=3").purify(published, Knowledge(clean))
    assert torch.equal(alone.images, clean.images[:12]) and alone.labels.tolist() == [0, 1, 2, 3] * 3


@pytest.mark.parametrize("name", ["mix", "only_clean", "class_mean", "inverse"])
def test_clean_pictures_are_needed(name):
    with pytest.raises(ValueError, match="needs clean pictures of the trainer's own"):
        countermeasure_named(name).purify(smooth(), Knowledge())
    with pytest.raises(ValueError, match="at least 3 pictures of a, got 2"):
        countermeasure_named(f"{name}:per_class=3").purify(smooth(), Knowledge(smooth()))


@pytest.mark.parametrize("part, epochs", [(0.25, 15), (1, 60), (0.001, 1)])
def test_early_stopping(part, epochs):
    paper = recipes.make("paper")
    assert countermeasure_named(f"early:part={part}").adjust_recipe(paper).epochs == epochs
    assert countermeasure_named(f"early:part={part}").adjust_recipe(paper.longer()).epochs == max(1, 100 * part)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_pretrained_backbone(tmp_path, frozen):
    victim, file = victim_named("resnet9:width=4"), tmp_path / "weights.safetensors"
    save_weights(stored := victim.build(10, 16), file)
    countermeasure = countermeasure_named(f"pretrained:weights={file},frozen={frozen}")
    data = smooth(8, side=16)
    trained = fit(victim, data, data, countermeasure, recipes.make("quick:epochs=1,batch_size=4,learning_rate=0.01"))
    inner = (trained.model.model if frozen else trained.model).cpu()
    before, after = stored.state_dict(), inner.state_dict()
    changed = {name for name in after if name != "head.weight" and not torch.equal(before[name], after[name])}
    assert after["head.weight"].shape == (4, 32)
    assert bool(changed) is not frozen
    torch.testing.assert_close(before["features.0.0.weight"], after["features.0.0.weight"], atol=0.1, rtol=0)
