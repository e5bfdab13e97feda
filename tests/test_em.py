import pytest
import torch
from torch import nn

from resuming import resumed
from sets import labelled, noisy
from unlearnable.compute.devices import DivergedError
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.protections.em import stratified

SMALL = "surrogate=resnet9:width=4,batch_size=6"
CHEAP = f"em:{SMALL},train_steps=2,steps=3,step=4,stop=1"


@pytest.fixture
def data():
    torch.manual_seed(0)  # where a test makes a search by itself
    return labelled((noisy(10, 12, 12) // 2 + 64).to(torch.uint8), 2)  # nothing near black or white


def linear_search(spec: str, data: ImageSet):
    """A search at its first step of the noise, whose surrogate is linear: signs for class 0, their opposite for 1."""
    search = protection_named(spec).optimisation(data, 0)
    signs = torch.randn(data.images.shape[1:], generator=torch.Generator().manual_seed(5)).sign()
    layer = nn.Linear(signs.numel(), 2, bias=False)
    layer.weight.data.copy_(0.01 * torch.stack([signs.flatten(), -signs.flatten()]))
    search.surrogate.model = nn.Sequential(nn.Flatten(), layer)
    search.done = search.method.train_steps
    return search, signs


@pytest.mark.parametrize("per", ["sample", "class"])
@pytest.mark.parametrize("steps, way", [(1, 0.8), (3, 2.4), (20, 8.0)])
def test_steps_towards_the_own_class_of_a_linear_surrogate(data, per, steps, way):
    search, signs = linear_search(f"em:per={per},steps={steps},stop=1,subset=1", data)
    search.advance()
    towards = torch.where(data.labels == 0, 1.0, -1.0).view(-1, 1, 1, 1)
    search.done += 1
    torch.testing.assert_close(search.change(), way * towards * signs, atol=1e-4, rtol=0)


def test_the_noise_goes_on_from_where_it_was(data):
    search, signs = linear_search("em:steps=1,train_steps=3,stop=1", data)
    for _ in range(2):
        search.done = 3
        search.advance()
    search.done += 1
    torch.testing.assert_close(search.change()[0], 1.6 * signs, atol=1e-4, rtol=0)


def test_noise_of_a_class_is_the_mean_of_what_its_pictures_ask_for(data, monkeypatch):
    search, _ = linear_search("em:per=class,stop=1,subset=1", data)
    monkeypatch.setattr(search.surrogate, "gradient", lambda images, labels: images - 0.5)
    search.advance()
    signs = (data.images / 255 - 0.5).sign()
    for label in (0, 1):
        torch.testing.assert_close(search.noise[label] * 255, -0.8 * signs[data.labels == label].mean(0))


@pytest.mark.parametrize("per", ["sample", "class"])
def test_the_noise_lowers_the_loss_of_the_surrogate(data, per):
    method = protection_named(f"em:per={per},{SMALL},subset=1,steps=5,batch_size=10,train_steps=30,step=1.6")
    search = method.optimisation(data, 0)
    for _ in range(30):
        search.advance()
        search.done += 1
    before, _ = search.surrogate.test(data.images / 255, data.labels)
    during = search.advance()
    after, wrong = search.surrogate.test(data.images / 255 + search.noise[search.owner], data.labels)
    assert after < before / 1.3 and before > 0.01
    assert (during, search.wrong) == (pytest.approx(after, rel=0.02), wrong)


@pytest.mark.parametrize("per, different", [("sample", 10), ("class", 2)])
def test_one_noise_a_class_or_one_a_picture(data, per, different):
    change = protection_named(f"{CHEAP},per={per}").optimised(data, 0)
    assert len(change.unique(dim=0)) == different
    assert len(torch.cat([data.labels.view(-1, 1).float(), change.flatten(1)], 1).unique(dim=0)) == different


def test_rounds_and_batches(data):
    search = protection_named(f"em:{SMALL},train_steps=3,rounds=4").optimisation(data, 0)
    seen = []
    search._learn = lambda batch: seen.append(("learn", batch.tolist())) or 0.0
    search._perturb = lambda batch: seen.append(("perturb", batch.tolist())) or 0.0
    for search.done in range(10):
        search.advance()
    (_, first), (_, second) = seen[:2]
    assert sorted(first + second) == list(range(10)) and first != sorted(first)
    round_of_three = [("learn", first), ("learn", second), ("learn", first), ("perturb", first), ("perturb", second)]
    assert seen[:5] == round_of_three
    assert [what for what, _ in seen[5:]] == ["learn"] * 3 + ["perturb"] * 2
    assert [batch for _, batch in seen[5:8]] == [second, first, second]
    assert search.steps == 4 * 5


def test_the_search_ends_where_the_surrogate_is_right(data):
    steps = []
    method = protection_named(f"em:{SMALL},steps=5,stop=0.1")
    change = method.optimised(data, 0, on_step=steps.append)
    assert steps[-1].done < steps[-1].steps and steps[-1].done % 12 == 0
    assert steps[-1].loss < 0.5 and change.abs().max() <= 8.001


def test_a_search_without_success_warns(data):
    with pytest.warns(UserWarning, match="still wrong on [1-9]+ of 10 pictures; give the search more rounds"):
        protection_named(f"em:{SMALL},train_steps=1,steps=1,step=0.001,rounds=1,stop=0").optimised(data, 0)


def test_positive_as_the_authors_published(data):
    signed, positive = (protection_named(f"{CHEAP},compat={compat}") for compat in ("signed", "positive"))
    noise, published = signed.optimised(data, 0), positive(data, 0).images
    assert noise.min() < -1
    assert torch.equal(published, (data.images + noise.clamp_min(0)).floor().to(torch.uint8))
    assert positive.optimised(data, 0).min() == 0


@pytest.mark.parametrize("after", [2, 4, 5])
@pytest.mark.parametrize("per", ["sample", "class"])
def test_resumed_as_if_never_killed(data, tmp_path, per, after):
    method = protection_named(f"em:per={per},{SMALL},train_steps=2,steps=2,rounds=2,subset=1,step=4,stop=0")
    with pytest.warns(UserWarning, match="still wrong"):
        expected = method.optimised(data, 7)
    with pytest.warns(UserWarning, match="still wrong"):
        assert torch.equal(resumed(method, data, tmp_path / "state", after, seed=7), expected)


def test_a_foreign_checkpoint_is_refused(data, tmp_path):
    protection_named(CHEAP).optimised(data, 0, checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match="holds another run"):
        protection_named(f"{CHEAP},per=class").optimised(data, 0, checkpoint=tmp_path / "state")


def test_an_absurd_learning_rate(data):
    with pytest.raises(DivergedError, match="lower its learning rate"):
        protection_named(f"{CHEAP},learning_rate=1e30").optimised(data, 0)


@pytest.mark.parametrize("budget", ["linf:2", "linf:8", "rms:3"])
def test_the_radius_is_the_budget_s(data, budget):
    method = protection_named(f"{CHEAP},budget={budget}")
    radius = float(budget[-1])
    assert method.optimised(data, 0).abs().max() == pytest.approx(radius)
    change = (method(data, 0).images.float() - data.images.float()).flatten(1)
    sizes = change.square().mean(1).sqrt() if budget.startswith("rms") else change.abs().amax(1)
    assert sizes.max() <= radius


@pytest.mark.parametrize("per", ["sample", "class"])
def test_one_picture_a_class(data, per):
    alone = labelled(data.images[:3], 3)
    assert protection_named(f"{CHEAP},per={per}")(alone).images.shape == alone.images.shape


def test_one_class_is_refused(data):
    with pytest.raises(ValueError, match="two classes or more"):
        protection_named(CHEAP)(data[data.labels == 0])


def test_pictures_that_are_not_square():
    oblong = labelled(noisy(6, 12, 20), 3)
    assert protection_named(f"{CHEAP},per=class")(oblong).images.shape == oblong.images.shape


def test_a_part_of_every_class():
    labels = torch.tensor([0] * 50 + [1] * 10 + [3])
    torch.manual_seed(0)
    chosen = stratified(labels, 0.2)
    assert labels[chosen].tolist() == [0] * 10 + [1] * 2 + [3]
    assert len(chosen.unique()) == 13 and not torch.equal(chosen[:10], torch.arange(10))


@pytest.mark.parametrize("per", ["sample", "class"])
def test_the_surrogate_learns_pictures_with_their_noise(data, per, monkeypatch):
    found, learnt = protection_named(f"em:per={per},{SMALL},subset=1").optimisation(data, 0), []
    found.noise += torch.arange(len(found.noise)).view(-1, 1, 1, 1) / 255
    learn = lambda images, labels, clip: learnt.append((images, labels, clip)) or 0.0  # noqa: E731
    monkeypatch.setattr(found.surrogate, "learn", learn)
    found.advance()
    ((images, labels, clip),) = learnt
    (batch, *_) = found.batches
    expected = (data.images[batch] + found.owner[batch].view(-1, 1, 1, 1)).clamp(0, 255).float()
    torch.testing.assert_close(images * 255, expected, atol=1e-3, rtol=0)
    assert torch.equal(labels, data.labels[batch]) and clip == 5
