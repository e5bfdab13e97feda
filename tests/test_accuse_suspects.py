"""Models in files: of this package, of timm, and in ONNX from elsewhere."""

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from unlearnable import suspect_named, victim_named
from unlearnable.victims.features import save_weights

SIDE, CLASSES = 8, 3


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (5, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def linear(file, shape, kind=TensorProto.FLOAT):
    """An ONNX model that flattens its input and multiplies it; answers with the matrix, too."""
    weight = np.random.default_rng(0).normal(size=(3 * SIDE * SIDE, CLASSES)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("pictures", kind, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, CLASSES])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)
    return weight


@pytest.mark.parametrize("count", [None, 1, 2])
def test_channels_first_channels_last_and_all_in_a_row(pictures, tmp_path, count):
    unit = pictures.numpy() / 255
    for shape, values in (
        ([count, 3, SIDE, SIDE], unit),
        ([count, SIDE, SIDE, 3], unit.transpose(0, 2, 3, 1)),
        ([count, 3 * SIDE * SIDE], unit),
    ):
        weight = linear(tmp_path / "model.onnx", shape)
        suspect = suspect_named(str(tmp_path / "model.onnx"))
        assert suspect.side == SIDE
        assert suspect.answer(pictures) == pytest.approx(values.reshape(5, -1) @ weight, abs=1e-3)


def test_bytes_and_normalisation(pictures, tmp_path):
    weight = linear(tmp_path / "bytes.onnx", [None, 3, SIDE, SIDE], TensorProto.UINT8)
    values = pictures.numpy().astype(np.float64)
    assert suspect_named(str(tmp_path / "bytes.onnx")).answer(pictures) == pytest.approx(
        values.reshape(5, -1) @ weight, rel=1e-3
    )
    weight = linear(tmp_path / "model.onnx", [None, 3, None, None])
    suspect = suspect_named(str(tmp_path / "model.onnx"), SIDE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))
    standard = (values / 255 - np.reshape([0.5, 0.4, 0.3], (3, 1, 1))) / np.reshape([0.2, 0.2, 0.1], (3, 1, 1))
    assert suspect.answer(pictures) == pytest.approx(standard.reshape(5, -1) @ weight, abs=1e-2)


def test_a_file_of_fit_knows_its_network_and_its_classes(pictures, tmp_path):
    model = victim_named("resnet9:width=8").build(CLASSES, SIDE).eval()
    save_weights(model, tmp_path / "m.safetensors", ("a", "b", "c"))
    for number in range(4):
        save_weights(model, tmp_path / "again.safetensors", ("a", "b", "c"))
        assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes(), number
    suspect = suspect_named(f"resnet9:width=8@{tmp_path / 'm.safetensors'}", SIDE)
    assert suspect.names == ("a", "b", "c")
    with torch.inference_mode():
        assert suspect.answer(pictures) == pytest.approx(model(pictures / 255).numpy(), abs=0.05)


def test_a_network_of_timm_with_its_own_classes(tmp_path):
    model = timm.create_model("resnet10t", num_classes=CLASSES).eval()
    save_file(model.state_dict(), tmp_path / "m.safetensors")
    suspect = suspect_named(f"resnet10t@{tmp_path / 'm.safetensors'}", 64)
    assert suspect.names == ()
    known = timm.get_pretrained_cfg("resnet10t")
    standard = torch.full((1, 3, 64, 64), 0.8) - torch.tensor(known.mean)[:, None, None]
    standard = standard / torch.tensor(known.std)[:, None, None]
    grey = torch.full((1, 3, 64, 64), 204, dtype=torch.uint8)
    with torch.inference_mode():
        assert suspect.answer(grey) == pytest.approx(model(standard).numpy(), abs=0.05)
    assert suspect.answer(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, CLASSES)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    linear(tmp_path / "any.onnx", [None, 3, None, None])
    linear(tmp_path / "fixed.onnx", [None, 3, SIDE, SIDE])
    linear(tmp_path / "grey.onnx", [None, 12, SIDE // 2, SIDE // 2])
    linear(tmp_path / "whole.onnx", [None, 3, SIDE, SIDE], TensorProto.INT64)
    for spec, side, message in (
        (tmp_path / "nowhere.onnx", None, "expected a model FILE.onnx"),
        (tmp_path / "x.onnx", None, "no model that onnxruntime can run"),
        (tmp_path / "any.onnx", None, "any size; name --size"),
        (tmp_path / "fixed.onnx", 9, "expected --size 8"),
        (tmp_path / "whole.onnx", None, "as numbers or bytes"),
        (tmp_path / "grey.onnx", None, "in three colours"),
        (tmp_path / "x.safetensors", 8, "expected the network before its weights"),
        (f"resnet9@{tmp_path / 'x.safetensors'}", None, "name --size"),
        (f"resnet9@{tmp_path / 'x.safetensors'}", 8, "pickled weights are never opened"),
        (f"resnet9@{tmp_path / 'other.safetensors'}", 8, "lacks"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            suspect_named(str(spec), side)
    with pytest.raises(ValueError, match="of an ONNX model alone"):
        suspect_named(f"resnet9@{tmp_path / 'other.safetensors'}", 8, mean=(0.5,))
    with pytest.raises(ValueError, match="cannot answer"):
        suspect_named(str(tmp_path / "any.onnx"), 5).answer(torch.zeros(1, 3, 5, 5, dtype=torch.uint8))
