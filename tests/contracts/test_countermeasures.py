"""What every registered countermeasure promises."""

import pytest
import torch

from sets import batch, labelled, linear, noisy
from unlearnable.countermeasures import Countermeasure, Knowledge, countermeasure_named, countermeasures
from unlearnable.countermeasures.preprocess import Preprocess
from unlearnable.datasets import load
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipes
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights

HOOKS = ("purify", "deploy", "choose", "adjust", "augment", "loss")
TINY = {"inverse": "steps=2,per_class=2,keys=1,channels=4", "ueraser": "repeats=2", "at": "steps=2"}
VICTIM = "resnet9:width=4"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    file = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_weights(victim_named(VICTIM).build(7, 16), file)
    return file


@pytest.fixture(params=list(countermeasures))
def spec(request, backbone) -> str:
    parameters = countermeasures.parameters(request.param)
    tiny = TINY.get(request.param, "per_class=2" if "per_class" in parameters else "")
    if "weights" in parameters and parameters["weights"].default is None:
        tiny = f"weights={backbone}"
    return f"{request.param}:{tiny}" if tiny else request.param


@pytest.fixture
def countermeasure(spec) -> Countermeasure:
    return countermeasure_named(spec)


@pytest.fixture(scope="module")
def toy():
    return load("toy:count=12")


@pytest.fixture(scope="module", params=["grey", "colour"])
def data(request, toy):
    return toy if request.param == "grey" else labelled(noisy(8, 16, 20))


@pytest.fixture(scope="module")
def knowledge(data):
    clean = load("toy:count=30,seed=1") if data.images.shape[-1] == 16 else labelled(noisy(8, 16, 20, seed=1))
    return Knowledge(clean, seed=5)


def test_purify_keeps_the_kind_of_set(countermeasure, data, knowledge):
    images, labels = data.images.clone(), data.labels.clone()
    purified = countermeasure.purify(data, knowledge)
    assert purified.images.dtype == torch.uint8
    assert purified.images.shape[1:] == data.images.shape[1:]
    assert purified.classes == data.classes
    assert torch.equal(data.images, images) and torch.equal(data.labels, labels)


def test_purify_is_deterministic_in_the_seed(countermeasure, data, knowledge):
    torch.manual_seed(1)
    first = countermeasure.purify(data, knowledge)
    torch.manual_seed(2)
    second = countermeasure.purify(data, knowledge)
    assert torch.equal(first.images, second.images) and torch.equal(first.labels, second.labels)


def test_deploy_keeps_the_kind_of_pictures(countermeasure, data):
    before = data.images.clone()
    deployed = countermeasure.deploy(data.images)
    assert deployed.dtype == torch.uint8 and deployed.shape == data.images.shape
    assert torch.equal(data.images, before)


def test_augment_keeps_the_kind_of_batch(countermeasure, data):
    images, targets = batch(data)
    before = images.clone(), targets.clone()
    for seed in range(3):
        torch.manual_seed(seed)
        augmented, probabilities = countermeasure.augment(images, targets)
        assert augmented.shape == images.shape and augmented.dtype == torch.float32
        assert augmented.min() >= 0 and augmented.max() <= 1
        assert probabilities.shape == targets.shape and probabilities.min() >= 0
        torch.testing.assert_close(probabilities.sum(1), torch.ones(len(images)))
    assert torch.equal(images, before[0]) and torch.equal(targets, before[1])


def test_loss_reaches_every_parameter(countermeasure, data):
    images, targets = batch(data)
    before = images.clone()
    model = linear(images[0].numel(), 4)
    loss, logits = countermeasure.loss(model, images, targets, 0.1)
    loss.backward()
    assert loss.shape == () and loss.isfinite()
    assert logits.shape == targets.shape
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
    assert torch.equal(images, before)


def test_one_hook_each(countermeasure):
    own = {hook for hook in HOOKS if getattr(type(countermeasure), hook) is not getattr(Countermeasure, hook)}
    if isinstance(countermeasure, Preprocess):
        assert own == {"purify", "deploy"}
        assert type(countermeasure).purify is Preprocess.purify and type(countermeasure).deploy is Preprocess.deploy
    elif len(own) > 1:
        assert len(own - {"adjust"}) == 1  # what it does may call for other epochs or steps
    else:
        assert len(own) == (0 if countermeasure == countermeasure_named("vanilla") else 1)


@pytest.mark.parametrize("other", ["bdr:bits=3,test=true", "gaussn", "early:part=0.5"])
def test_a_chain_does_one_after_the_other(spec, other, data, knowledge):
    chain = countermeasure_named(f"{spec}+{other}")
    first, second = countermeasure_named(spec), countermeasure_named(other)
    purified = second.purify(first.purify(data, knowledge), knowledge)
    assert torch.equal(chain.purify(data, knowledge).images, purified.images)
    assert torch.equal(chain.deploy(data.images), second.deploy(first.deploy(data.images)))
    victim, recipe = victim_named(VICTIM), recipes.make("paper")
    assert chain.choose(victim) == second.choose(first.choose(victim))
    assert chain.adjust(recipe) == second.adjust(first.adjust(recipe))
    torch.manual_seed(0)
    together = chain.augment(*batch(data))
    torch.manual_seed(0)
    images, targets = second.augment(*first.augment(*batch(data)))
    assert torch.equal(together[0], images) and torch.equal(together[1], targets)
    model = linear(images[0].numel(), 4)
    torch.manual_seed(0)
    loss = chain.loss(model, *batch(data), 0.1)[0]
    torch.manual_seed(0)
    assert torch.equal(loss, first.loss(model, *batch(data), 0.1)[0])


def test_a_chain_keeps_the_order(data, knowledge):
    one, other = (countermeasure_named(text).purify(data, knowledge) for text in ("bdr+mean", "mean+bdr"))
    assert not torch.equal(one.images, other.images)


def test_a_chain_has_one_loss_of_its_own():
    for text in ("at+ueraser", "ueraser+gray+at", "at+at"):
        with pytest.raises(ValueError, match="chain at most one"):
            countermeasure_named(text)


@pytest.mark.parametrize("text", ["", "+", "gray+", "gray+unheard_of"])
def test_unknown_links(text):
    with pytest.raises(ValueError, match=r"unknown among the countermeasures.*vanilla"):
        countermeasure_named(text)


def test_a_training_with_it(countermeasure, toy):
    trained = fit(
        victim_named(VICTIM),
        toy,
        load("toy:count=6,seed=2"),
        countermeasure,
        recipes.make("quick:epochs=1,long_epochs=1,batch_size=4"),
        clean=load("toy:count=30,seed=1"),
    )
    assert trained.confusion.sum() == 6
    assert trained.epochs[0].loss > 0


def test_a_training_with_a_long_chain(toy):
    chain = countermeasure_named("gray+jpeg:quality=50,test=true+only_clean:per_class=2+cutout+mixup+at:steps=1+early")
    trained = fit(victim_named(VICTIM), toy, toy, chain, recipes.make("quick:long_epochs=4"), clean=toy)
    assert len(trained.epochs) == 1
