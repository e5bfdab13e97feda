"""What every registered countermeasure promises."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from sets import batch, labelled, linear, noisy
from tiny_ddpm import save_ddpm
from unlearnable.countermeasures import Countermeasure, Knowledge, countermeasure_named, countermeasures
from unlearnable.countermeasures.preprocess import Preprocess
from unlearnable.datasets import load
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipes
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights

HOOKS = ("purify", "deploy", "adjust_victim", "adjust_recipe", "prepare", "augment", "solve", "loss")
TINY = {
    "inverse": "steps=2,per_class=2,keys=1,channels=4",
    "ueraser": "repeats=2",
    "at": "steps=2",
    "size": "pixels=8",
    "bridge": "pairs=2,steps=2,channels=4",
    "dvae": "steps=1,channels=4",
    "simclr": "epochs=1",
}
VICTIM = "resnet9:width=4"
NEAR_NOTHING = st.one_of(  # parameters on both sides of where a countermeasure begins to do something
    st.builds("{}:kernel={}".format, st.sampled_from(["mean", "median", "gaussf"]), st.sampled_from([1, 3, 5])),
    st.builds("gaussf:sigma={}".format, st.integers(1, 60).map(lambda hundredths: hundredths / 100)),
    st.builds("bdr:bits={}".format, st.integers(1, 8)),
    st.builds("jpeg:quality={}".format, st.integers(90, 100)),
    st.builds("cutout:length={}".format, st.sampled_from([0, 0.25, 1])),
    st.builds("gaussn:sigma={}".format, st.sampled_from([0, 0.01, 0.1])),
    st.builds("randaugment:operations={}".format, st.integers(0, 2)),
    st.builds("coin:alpha={}".format, st.sampled_from([0, 1, 2])),
    st.builds("early:part={}".format, st.sampled_from([0.25, 0.5, 1])),
    st.sampled_from(["vanilla", "gray", "resize:scale=0.9", "cutmix", "mixup"]),
)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    file = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_weights(victim_named(VICTIM).build(7, 16), file)
    return file


@pytest.fixture(scope="module")
def ddpm(tmp_path_factory):
    return save_ddpm(tmp_path_factory.mktemp("ddpm"))


def tiny(name: str, backbone: Path, ddpm: Path) -> str:
    """One of the registered countermeasures, with parameters that take little time."""
    parameters = countermeasures.parameters(name)
    chosen = TINY.get(name, "per_class=2" if "per_class" in parameters else "")
    if "weights" in parameters and parameters["weights"].default is None:
        chosen = f"weights={backbone}" + (f",{chosen}" if chosen else "")
    if name == "avatar":
        chosen = f"model={ddpm},step=2"
    return f"{name}:{chosen}" if chosen else name


@pytest.fixture(params=list(countermeasures))
def spec(request, backbone, ddpm) -> str:
    return tiny(request.param, backbone, ddpm)


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
    """Other pictures of the same classes, and the originals of some that are published."""
    other = load("toy:count=30,seed=1") if data.images.shape[-1] == 16 else labelled(noisy(8, 16, 20, seed=1))
    return Knowledge(other.joined(data[:4]), seed=5)


def test_purify_keeps_the_kind_of_set(countermeasure, data, knowledge):
    images, labels = data.images.clone(), data.labels.clone()
    purified = countermeasure.purify(data, knowledge)
    assert purified.images.dtype == torch.uint8
    assert purified.images.shape[1:] == (3, *countermeasure.resized(*data.images.shape[-2:]))
    assert purified.classes == data.classes
    assert torch.equal(data.images, images) and torch.equal(data.labels, labels)


def test_purify_is_deterministic_in_the_seed(countermeasure, data, knowledge):
    torch.manual_seed(1)
    first = countermeasure.purify(data, knowledge)
    torch.manual_seed(2)
    second = countermeasure.purify(data, knowledge)
    assert torch.equal(first.images, second.images) and torch.equal(first.labels, second.labels)


def test_who_needs_clean_pictures_says_so(countermeasure, data):
    """And nobody else does: what stands among those with the published pictures alone can do without."""
    alone = countermeasure.advantage in ("none", "pretrained")
    with nullcontext() if alone else pytest.raises(ValueError, match="clean pictures of the trainer's own"):
        countermeasure.purify(data, Knowledge(None, seed=5))


def test_who_begins_with_a_network_of_somebody_elses_says_so(countermeasure, spec):
    begins = countermeasure.adjust_victim(victim_named(VICTIM)).pretrained or spec.startswith("avatar")
    assert (countermeasure.advantage == "pretrained") == bool(begins)


def test_a_chain_needs_the_most_that_a_link_needs():
    assert countermeasure_named("gray+bridge:pairs=2+mix").advantage == "pairs"
    assert countermeasure_named("gray+jpeg").advantage == "none"


def test_deploy_keeps_the_kind_of_pictures(countermeasure, data):
    before = data.images.clone()
    deployed = countermeasure.deploy(data.images)
    assert deployed.dtype == torch.uint8
    assert deployed.shape == (len(data), 3, *countermeasure.resized(*data.images.shape[-2:]))
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
    elif "solve" in own:  # on a network of its own, and on as many pictures as it was told
        assert own == {"purify", "adjust_victim", "adjust_recipe", "solve"}
    elif len(own) > 1:
        assert len(own - {"adjust_recipe"}) == 1  # what it does may call for other epochs or steps
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
    assert chain.adjust_victim(victim) == second.adjust_victim(first.adjust_victim(victim))
    assert chain.adjust_recipe(recipe) == second.adjust_recipe(first.adjust_recipe(recipe))
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


@pytest.mark.parametrize("recipe", ["paper", "quick", "transformer:epochs=7,long_epochs=9"])
@pytest.mark.parametrize("other", list(countermeasures))
def test_either_order_trains_the_same_victim_as_long(spec, other, recipe, backbone, ddpm):
    links = spec, tiny(other, backbone, ddpm)
    for hook in ("loss", "adjust_victim"):
        if all(getattr(type(countermeasure_named(link)), hook) is not getattr(Countermeasure, hook) for link in links):
            return  # a chain has one such of its own, see below
    trained = [
        (chain.adjust_recipe(recipes.make(recipe)), chain.adjust_victim(victim_named(VICTIM)), chain.effort)
        for chain in map(countermeasure_named, ("+".join(links), "+".join(links[::-1])))
    ]
    assert trained[0] == trained[1]


def test_early_stopping_shortens_adversarial_training_on_either_side():
    paper = recipes.make("paper")
    assert [countermeasure_named(chain).adjust_recipe(paper).epochs for chain in ("early+at", "at+early")] == [25, 25]


def test_a_chain_has_one_loss_of_its_own():
    for text in ("at+ueraser", "ueraser+gray+at", "at+at"):
        with pytest.raises(ValueError, match="chain at most one"):
            countermeasure_named(text)


def test_a_chain_has_one_backbone():
    with pytest.raises(ValueError, match="two of these countermeasures choose the victim's weights"):
        countermeasure_named("pretrained:weights=a+probe:weights=b")


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
        clean=load("toy:count=30,seed=1").joined(toy),
    )
    assert trained.confusion.sum() == 6
    assert trained.epochs[0].loss > 0


def test_a_training_with_a_long_chain(toy):
    chain = countermeasure_named("gray+jpeg:quality=50,test=true+only_clean:per_class=2+cutout+mixup+at:steps=1+early")
    trained = fit(victim_named(VICTIM), toy, toy, chain, recipes.make("quick:long_epochs=4"), clean=toy)
    assert len(trained.epochs) == 1


def does_nothing(made: Countermeasure) -> bool:
    """Whether it leaves alone pictures of the extremes, where any filter shows, batches of them, and the recipe."""
    extremes = 255 * (noisy(40, 20, 24) > 128).to(torch.uint8)
    extremes[:20] = noisy(20, 20, 24, seed=1)
    data = labelled(extremes)
    images, targets = batch(data)
    torch.manual_seed(0)
    augmented, probabilities = made.augment(images, targets)
    recipe = recipes.make("paper")
    return (
        torch.equal(made.purify(data, Knowledge()).images, data.images)
        and torch.equal(made.deploy(data.images), data.images)
        and torch.equal(augmented, images)
        and torch.equal(probabilities, targets)
        and made.adjust_recipe(recipe) == recipe
    )


@given(st.lists(NEAR_NOTHING, min_size=1, max_size=2).map("+".join))
@example("gaussf+vanilla")
@example("bdr:bits=8+cutout:length=0")
def test_what_changes_nothing_says_so_and_is_a_control(spec):
    made = countermeasure_named(spec)
    assert made.changes_nothing == does_nothing(made)
    assert made.control == (made.changes_nothing and spec != "vanilla")


def test_the_controls_among_the_registered_ones(spec, countermeasure):
    expected = {"gaussf": (True, True), "vanilla": (True, True), "only_clean": (False, False)}
    name = spec.partition(":")[0]
    assert (countermeasure.changes_nothing, countermeasure.sees_published) == expected.get(name, (False, True))
    assert countermeasure.control == (name in ("gaussf", "only_clean"))


@pytest.mark.parametrize("text", ["only_clean", "gray+only_clean:per_class=2", "only_clean+jpeg+cutout"])
def test_a_chain_that_takes_the_published_pictures_away_is_a_control(text):
    assert countermeasure_named(text).control and not countermeasure_named(text).changes_nothing
