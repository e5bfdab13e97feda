import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from unlearnable.victims.architectures import built_for, victim_named, victims
from unlearnable.victims.features import Frozen, evaluating, penultimate, save_weights

TIMM = ["convnext_atto", "resnetv2_18"]
CHEAP = ["resnet9", "resnet18", "vit", *TIMM]
TINY = "resnet9:width=4"


def stepped(model: nn.Module, steps: int = 1) -> dict[str, torch.Tensor]:
    """The state after SGD on random pictures."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model.train()(torch.rand(4, 3, 32, 32)), torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()
    return model.state_dict()


def first_features(model: nn.Module, layer: nn.Module, size: int) -> tuple[int, ...]:
    """The shape of what goes into a layer."""
    shapes = []
    with layer.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape[1:]))):
        model.eval()(torch.rand(1, 3, size, size))
    return shapes[0]


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(1)
    model = victim_named(TINY).build(10, 32)
    stepped(model)  # batch norm, too, has something to remember
    save_weights(model, tmp_path / "weights.safetensors")
    return model, tmp_path / "weights.safetensors"


@pytest.mark.parametrize("name", [*(name for name in victims if name != "timm"), *TIMM])
def test_small_pictures(name):
    model, pictures = victim_named(name).build(5, 32), torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        logits = model.train()(pictures)
    assert logits.shape == (2, 5) and logits.isfinite().all()
    model.eval()
    classifier = model.get_classifier()
    assert len(classifier.weight) == 5
    seen = []
    with classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1))):
        model(pictures)
    torch.testing.assert_close(penultimate(model, pictures), *seen)
    frozen = Frozen(model)
    torch.testing.assert_close(penultimate(frozen, pictures), *seen)
    trained = {id(parameter) for parameter in frozen.parameters() if parameter.requires_grad}
    assert trained == {id(parameter) for parameter in classifier.parameters()}


@pytest.mark.parametrize("name", CHEAP)
@pytest.mark.parametrize("size", [64, 96])
def test_larger_pictures(name, size):
    model = victim_named(name).build(3, size)
    with torch.inference_mode():
        assert model(torch.rand(2, 3, size, size)).shape == (2, 3)


@pytest.mark.parametrize("name", CHEAP)
def test_training_reaches_every_parameter(name):
    model = victim_named(name).build(2, 32)
    stepped(model, 2)  # timm's residual branches start at zero
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    "name, layer, size, expected",
    [
        ("resnet18", "layer1", 32, (64, 32, 32)),
        ("resnet18", "layer1", 64, (64, 64, 64)),
        ("resnet18", "layer1", 96, (64, 24, 24)),
        ("densenet121", "features.denseblock1.denselayer1.norm1", 32, (64, 32, 32)),
        ("densenet121", "features.denseblock1.denselayer1.norm1", 96, (64, 24, 24)),
        ("resnet9:width=4", "features.1", 64, (4, 64, 64)),
        ("resnet9:width=4", "features.1", 96, (4, 48, 48)),
        ("vit", "blocks.0", 32, (64, 384)),
        ("vit", "blocks.0", 96, (36, 384)),
        ("vit:patch=8", "blocks.0", 96, (144, 384)),
    ],
)
def test_small_pictures_keep_their_resolution(name, layer, size, expected):
    model = victim_named(name).build(2, size)
    assert first_features(model, model.get_submodule(layer), size) == expected


def test_vit_needs_whole_patches():
    with pytest.raises(ValueError, match="multiple of 16 px for vit, got 100 px"):
        victim_named("vit").build(2, 100)


def test_resnet9_is_as_wide_as_told():
    counts = [
        sum(p.numel() for p in victim_named(f"resnet9:width={width}").build(2, 32).parameters()) for width in (4, 8)
    ]
    assert 3.5 < counts[1] / counts[0] < 4


@pytest.mark.parametrize("name", [name for name in victims if "multiplier" in victims.parameters(name)])
def test_narrower(name):
    wide, narrow = (victim_named(f"{name}:multiplier={part}").build(2, 32) for part in (1, 0.25))
    layers = [sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in model.modules()) for model in (wide, narrow)]
    assert abs(layers[0] - layers[1]) <= 1  # ResNet's first convolution stays as wide: its first shortcut is another
    weights = [sum(weight.numel() for weight in model.parameters()) for model in (wide, narrow)]
    assert 14 < weights[0] / weights[1] < 16.5
    for victim, size in ((f"{name}:multiplier=0.25", 32), (f"{name}:multiplier=0.1", 96)):
        assert victim_named(victim).build(2, size)(torch.rand(2, 3, size, size)).shape == (2, 2)


def test_names():
    assert victim_named("convnext_atto") == victims.make("timm:model=convnext_atto")
    assert victim_named("convnext_atto:frozen=true,pretrained=/a,b") == victims.make(
        "timm:model=convnext_atto,pretrained=/a,b,frozen=true"
    )
    assert victim_named("resnet18") == victims.make("resnet18")  # ours, with the small stem
    with pytest.raises(ValueError, match=r"unknown among the victims: 'resnet1'; known: .*resnet18.*timm.*vit"):
        victim_named("resnet1")
    with pytest.raises(ValueError, match="timm knows no model 'resnet1'"):
        victim_named("timm:model=resnet1").build(2, 32)
    with pytest.raises(ValueError, match="model"):
        victim_named("timm")


def test_a_timm_model_is_told_the_size_where_it_needs_one():
    assert victim_named("test_vit").build(2, 32).patch_embed.img_size == (32, 32)
    assert victim_named("test_resnet").build(2, 32)(torch.rand(2, 3, 32, 32)).shape == (2, 2)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_an_error_in_timm_is_no_answer_about_sizes(monkeypatch, name):
    asked = []

    def broken(*arguments, **named):
        asked.append(named)
        raise TypeError("a slip of theirs")

    monkeypatch.setattr(timm, "create_model", broken)
    with pytest.raises(TypeError, match="a slip of theirs"):
        victim_named(name).build(2, 32)
    assert len(asked) == 1


@pytest.mark.parametrize("error", [AssertionError("Input height (16) does not match"), IndexError(), KeyError("x")])
def test_whatever_a_network_says_to_a_wrong_size_is_a_refusal(monkeypatch, error):
    def broken(self, images):
        raise error

    monkeypatch.setattr("unlearnable.victims.resnet9.ResNet9.forward", broken)
    with pytest.raises(ValueError, match=r"expected pictures that .* can take, got 24x16 px: ."):
        built_for(victim_named("resnet9:width=2"), 2, 16, 24)


def test_a_network_of_another_size_refuses_by_its_assertion():
    with pytest.raises(ValueError, match=r"can take, got 16x32 px: .*height"):
        built_for(victim_named("vit_tiny_patch16_224"), 2, 32, 16)


def test_pretrained_weights_with_a_fresh_head(weights):
    stored, file = weights
    torch.manual_seed(2)
    model = victim_named(f"{TINY},pretrained={file}").build(3, 32)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        features = stored.eval().forward_features(pictures)
        assert torch.equal(model.eval().forward_features(pictures), features)
        assert model(pictures).shape == (2, 3)
    same_classes = victim_named(f"{TINY},pretrained={file}").build(10, 32)
    assert not torch.equal(same_classes.get_classifier().weight, stored.get_classifier().weight)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_pretrained_weights_of_any_timm_model(tmp_path):
    stored = victim_named("test_vit").build(10, 32)
    save_weights(stored, tmp_path / "vit.safetensors")
    model = victim_named(f"test_vit:pretrained={tmp_path / 'vit.safetensors'}").build(3, 32)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(model.eval().forward_features(pictures), stored.eval().forward_features(pictures))
    with pytest.raises(ValueError, match=r"pos_embed among them; .*saved for pictures of this size"):
        victim_named(f"test_vit:pretrained={tmp_path / 'vit.safetensors'}").build(3, 64)


def test_pickled_weights_are_never_opened(tmp_path):
    file = tmp_path / "weights.pt"
    torch.save(victim_named(TINY).build(2, 32).state_dict(), file)
    with pytest.raises(ValueError, match=r"weights\.pt is no safetensors file .*pickled weights are never opened"):
        victim_named(f"{TINY},pretrained={file}").build(2, 32)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100])
def test_broken_weights(tmp_path, content):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="no safetensors file"):
        victim_named(f"{TINY},pretrained={file}").build(2, 32)


def test_missing_and_wrong_weights(weights, tmp_path):
    with pytest.raises(ValueError, match="expected a safetensors file of weights, found none at /nowhere"):
        victim_named(f"{TINY},pretrained=/nowhere").build(2, 32)
    with pytest.raises(ValueError, match="found none at"):
        victim_named(f"{TINY},pretrained={tmp_path}").build(2, 32)
    with pytest.raises(ValueError, match="lacks 40 of 48 tensors of this network"):
        victim_named(f"resnet9:width=8,pretrained={weights[1]}").build(2, 32)
    with pytest.raises(ValueError, match="lacks 90 of 90 tensors"):
        victim_named(f"test_resnet:pretrained={weights[1]}").build(2, 32)


def test_frozen_needs_weights():
    with pytest.raises(ValueError, match="frozen victim needs pretrained"):
        victim_named(f"{TINY},frozen=true").build(2, 32)


def test_frozen_trains_the_last_layer_alone(weights):
    _, file = weights
    model = victim_named(f"{TINY},frozen=true,pretrained={file}").build(2, 32)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = stepped(model)  # in training mode, batch norm would follow the pictures
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"model.head.weight"}
    training = {name for name, module in model.named_modules() if module.training}
    assert training == {"", "model.head"}
    assert not any(module.training for module in model.eval().modules())


def test_frozen_weights_are_saved_as_others_are(weights, tmp_path):
    _, file = weights
    model = victim_named(f"{TINY},frozen=true,pretrained={file}").build(2, 32)
    save_weights(model.to(memory_format=torch.channels_last), tmp_path / "again.safetensors")
    again = victim_named(f"{TINY},pretrained={tmp_path / 'again.safetensors'}").build(2, 32)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(
            again.eval().forward_features(pictures), model.eval().model.forward_features(pictures)
        )


def test_the_mode_comes_back_whatever_happens():
    model = nn.Dropout()
    with evaluating(model):
        assert not model.training
    assert model.training
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training
