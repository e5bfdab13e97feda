import pytest
import torch
from torch import nn
from torch.nn import functional as F

from resuming import resumed
from sets import labelled, noisy
from unlearnable.compute.devices import DivergedError
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.protections.rem import _augmented

SMALL = "surrogate=resnet9:width=4,batch_size=5,steps=2,step=8,draws=2,adversary_steps=2"
METHODS = ["rem", "sem"]


@pytest.fixture
def data():
    return labelled((noisy(10, 16, 16) // 2 + 64).to(torch.uint8), 2)  # nothing near black or white


class Colours(nn.Module):
    """Linear in the mean colour: towards class 0 or, with opposite signs, class 1."""

    signs = torch.tensor([1.0, -1.0, 1.0])

    def forward(self, images):
        towards = (images.mean((2, 3)) * self.signs.to(images)).sum(1)
        return torch.stack([towards, -towards], 1)


def search(spec: str, data: ImageSet):
    torch.manual_seed(0)
    return protection_named(spec).optimisation(data, 0)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("spec", ["steps=10", "steps=2,step=8", "adversary_step=4,adversary_steps=2,draws=2"])
def test_the_noise_of_a_linear_surrogate(data, name, spec):
    """Inside, no crop hides a pixel: ten steps of 1.6 cross the ball from one side to the other."""
    found = search(f"{name}:{spec}", data)
    found.surrogate.model = Colours()
    found.done = found.method.iterations
    found.advance()
    towards = torch.where(data.labels == 0, 1.0, -1.0).view(-1, 1, 1, 1)
    expected = (8 * towards * Colours.signs.view(3, 1, 1)).expand(-1, -1, 8, 8)
    torch.testing.assert_close(found.change()[:, :, 4:12, 4:12], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("step", [1.6, 3.0])
def test_one_step_from_anywhere_in_the_ball(data, step):
    found = search(f"rem:steps=1,step={step},adversary=0", data)
    found.surrogate.model = Colours()
    images, labels = found._pictures(torch.arange(10))
    torch.manual_seed(1)
    start = found.method.defence.start(images)
    torch.manual_seed(1)
    moved = ((found._noise(images, labels) - start) * 255)[labels == 0][:, 0, 4:12, 4:12]
    unclipped = start[labels == 0][:, 0, 4:12, 4:12] < (8 - step) / 255
    torch.testing.assert_close(moved[unclipped], torch.full_like(moved[unclipped], step), atol=1e-4, rtol=0)
    assert start.max() * 255 == pytest.approx(8, abs=0.1) and start.min() * 255 == pytest.approx(-8, abs=0.1)


def test_the_gradient_goes_through_crop_and_flip(data):
    """Without an adversary it is that of the mean loss over the draws."""
    found = search(f"rem:{SMALL},adversary=0,draws=3", data)
    layer = nn.Linear(3 * 16 * 16, 2, bias=False)
    found.surrogate.model = nn.Sequential(nn.Flatten(), layer)
    images, labels = found._pictures(torch.arange(10))
    torch.manual_seed(1)
    gradient = found._expected_gradient(images, labels)
    torch.manual_seed(1)
    seen = images.clone().requires_grad_()
    logits = found.surrogate.model(_augmented(seen.repeat(3, 1, 1, 1)))
    (expected,) = torch.autograd.grad(F.cross_entropy(logits, labels.repeat(3)), seen)
    torch.testing.assert_close(gradient, expected, atol=float(expected.abs().max()) / 50, rtol=0.05)  # bf16
    assert gradient.flatten(1).norm(dim=1).min() > 0


def test_the_adversary_raises_the_loss_that_the_noise_foresees(data):
    found = search(f"rem:{SMALL},adversary_steps=5,iterations=1", data)
    images, labels = found._pictures(torch.arange(10))
    for _ in range(20):
        found.surrogate.learn(images, labels)
    torch.manual_seed(1)
    attacked = found.method.attacked(found.surrogate, images, labels)
    torch.manual_seed(1)
    assert torch.equal(found.method.foreseen(found.surrogate, images, labels), attacked)
    torch.manual_seed(1)
    stable = search(f"sem:{SMALL}", data).method
    random = stable.foreseen(found.surrogate, images, labels)
    losses = [found.surrogate.test(pictures, labels)[0] for pictures in (images, random, attacked)]
    assert losses[2] - losses[0] > 10 * abs(losses[1] - losses[0])
    for change in (attacked - images, random - images):
        assert change.abs().max() * 255 <= 4.001
    assert (random - images).std() * 255 == pytest.approx(8 / 12**0.5, rel=0.05)  # uniform


@pytest.mark.parametrize("name, passes", [("rem", 3 * (2 + 1) + 2), ("sem", 3 * 1 + 2)])
def test_what_an_iteration_costs(data, name, passes, monkeypatch):
    """Adversary and gradient in every step of the noise, all draws at once, then the surrogate's adversary."""
    found = search(f"{name}:{SMALL},steps=3,draws=4", data)
    sizes, learnt = [], []
    gradient, learn = found.surrogate.gradient, found.surrogate.learn
    monkeypatch.setattr(found.surrogate, "gradient", lambda *batch: sizes.append(len(batch[0])) or gradient(*batch))
    monkeypatch.setattr(found.surrogate, "learn", lambda *batch: learnt.append(len(batch[0])) or learn(*batch))
    found.advance()
    assert len(sizes) == passes and sizes[-2:] == [5, 5] and set(sizes[:-2]) == {20} and learnt == [5]


@pytest.mark.parametrize("name", METHODS)
def test_every_picture_gets_its_final_noise_and_a_lower_loss(data, name):
    found = search(f"{name}:{SMALL},steps=4,step=4,iterations=30,adversary=1", data)
    for found.done in range(30):
        found.advance()
    assert not found.change().any()
    before, _ = found.surrogate.test(data.images / 255, data.labels)
    for found.done in (30, 31):
        found.advance()
    change = found.change()
    after, _ = found.surrogate.test((data.images + change) / 255, data.labels)
    assert (change.abs().amax((1, 2, 3)) > 7).all()
    assert after < 0.95 * before and found.steps == 32


def test_batches_are_dealt_anew_in_every_pass(data, monkeypatch):
    found = search(f"rem:{SMALL}", data)
    seen = []
    monkeypatch.setattr(found, "_noise", lambda images, labels: seen.append(images) or torch.zeros_like(images))
    for found.done in range(4):
        found.advance()
    first, second = torch.cat(seen[:2]), torch.cat(seen[2:])
    assert not torch.equal(first, second)
    for done in (first, second):
        assert torch.equal((done * 255).round().to(torch.uint8).unique(dim=0), data.images.unique(dim=0))


def test_the_learning_rate_falls(data):
    found = search(f"rem:{SMALL},decay=2,learning_rate=0.2,steps=1,adversary_steps=0", data)
    rates = []
    for found.done in range(5):
        found.advance()
        rates.append(found.surrogate.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2, 0.2, 0.02, 0.02, 0.002])


@pytest.mark.parametrize("after", [2, 4, 5])
def test_resumed_as_if_never_killed(data, tmp_path, after):
    method = protection_named(f"rem:{SMALL},iterations=3,decay=2")
    expected = method.optimised(data, 7)
    assert torch.equal(resumed(method, data, tmp_path / "state", after, seed=7), expected)


def test_a_foreign_checkpoint_is_refused(data, tmp_path):
    protection_named(f"rem:{SMALL},iterations=1").optimised(data, 0, checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match="holds another run"):
        protection_named(f"sem:{SMALL},iterations=1").optimised(data, 0, checkpoint=tmp_path / "state")


@pytest.mark.parametrize("iterations", [1, 3])
def test_an_absurd_learning_rate(data, iterations):
    with pytest.raises(DivergedError, match="lower its learning rate"):
        protection_named(f"rem:{SMALL},iterations={iterations},learning_rate=1e30").optimised(data, 0)


@pytest.mark.parametrize("budget", ["linf:2", "rms:3"])
def test_the_radius_is_the_budget_s(data, budget):
    method = protection_named(f"rem:{SMALL},iterations=1,budget={budget}")
    radius = float(budget[-1])
    assert method.optimised(data, 0).abs().max() == pytest.approx(radius)
    change = (method(data, 0).images.float() - data.images.float()).flatten(1)
    sizes = change.square().mean(1).sqrt() if budget.startswith("rms") else change.abs().amax(1)
    assert sizes.max() <= radius


def test_one_picture_a_class_and_oblong_ones(data):
    for pictures in (labelled(data.images[:3], 3), labelled(noisy(4, 12, 20), 2)):
        published = protection_named(f"sem:{SMALL},iterations=1")(pictures)
        assert published.images.shape == pictures.images.shape


def test_one_class_is_refused(data):
    with pytest.raises(ValueError, match="two classes or more"):
        protection_named(f"rem:{SMALL}")(data[data.labels == 0])


def test_large_pictures_are_shifted_further():
    torch.manual_seed(0)
    for side, reach in ((16, 4), (32, 4), (80, 10)):
        empty = (_augmented(torch.ones(200, 3, side, side))[:, 0] == 0).all(2).sum(1)
        assert empty.max() == reach


@pytest.mark.parametrize("name", METHODS)
def test_the_surrogate_learns_attacked_pictures_with_their_noise(data, name, monkeypatch):
    found, learnt = search(f"{name}:{SMALL}", data), []
    monkeypatch.setattr(found, "_noise", lambda images, labels: torch.full_like(images, 8 / 255))
    monkeypatch.setattr("unlearnable.protections.rem._augmented", lambda images: images)
    monkeypatch.setattr(type(found.method), "attacked", lambda method, surrogate, images, labels: images + 4 / 255)
    monkeypatch.setattr(found.surrogate, "learn", lambda images, labels: learnt.append((images, labels)) or 0.0)
    found.advance()
    found.done += 1
    found.advance()
    images, labels = (torch.cat(parts) for parts in zip(*learnt, strict=True))
    places = found.order
    torch.testing.assert_close(images * 255, data.images[places] + 12.0, atol=1e-3, rtol=0)
    assert torch.equal(labels, data.labels[places])
