"""A classifier in an ONNX file, from whatever framework."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from unlearnable.images.imageset import Images8

KINDS = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}


def onnx_model(
    file: Path, side: int | None, mean: Float[ndarray, " c"], std: Float[ndarray, " c"]
) -> tuple[int, Callable[[Images8], Any]]:
    """Its side in pixels, and the model as a function of uint8 pictures (n, 3, side, side).

    Pictures are its one input: channels first, channels last, or all values in a row. It answers with its first output
    of floating-point numbers, else with its first output, labels.

    Args:
        file: of the model.
        side: of the pictures, where the model takes any.
        mean: subtracted from values between 0 and 1, one number or one a colour; a model that takes bytes gets bytes.
        std: by which the rest is divided.

    Raises:
        FileNotFoundError: the extra ``onnx`` is not installed.
        ValueError: it is no model of pictures, or of others.
    """
    try:
        import onnxruntime
    except ImportError:
        raise FileNotFoundError("expected onnxruntime, found none: pip install 'unlearnable[onnx]'") from None
    try:
        session: Any = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has errors of its own, without a common name
        raise ValueError(f"{file} is no model that onnxruntime can run: {error}") from None
    taken, *others = session.get_inputs()
    if others or taken.type not in KINDS or len(taken.shape) not in (2, 4):
        inputs = [(one.name, one.type, one.shape) for one in session.get_inputs()]
        raise ValueError(f"expected a model whose one input is pictures, as numbers or bytes; {file} takes {inputs}")
    count, *shape = (length if isinstance(length, int) else None for length in taken.shape)
    last = len(shape) == 3 and shape[2] == 3 and shape[0] != 3
    fixed = _side(shape, last)
    if shape not in ([None], [3 * (fixed or 0) ** 2], [3, fixed, fixed], [fixed, fixed, 3]):
        raise ValueError(f"expected a model of square pictures in three colours, {file} takes {taken.shape}")
    if not (side or fixed):
        raise ValueError(f"{file} takes pictures of any size; name --size")
    if fixed and side not in (None, fixed):
        raise ValueError(f"expected --size {fixed}, of which {file} takes pictures, got {side}")
    kind, flat = KINDS[taken.type], len(shape) == 1
    outputs = session.get_outputs()
    place = next((place for place, one in enumerate(outputs) if one.type in ("tensor(float)", "tensor(double)")), 0)

    def answer(pictures: Images8) -> Any:
        values = pictures.permute(0, 2, 3, 1).numpy()
        if kind is not np.uint8:
            values = ((values.astype(np.float32) / 255 - mean) / std).astype(kind)
        values = np.ascontiguousarray(values if last else values.transpose(0, 3, 1, 2))
        values = values.reshape(len(values), -1) if flat else values
        at_once = count or len(values)  # a model may be made for so many: the last ones are filled up
        filled = np.concatenate([values, *[values[-1:]] * (-len(values) % at_once)])
        try:
            parts = [
                np.asarray(session.run([outputs[place].name], {taken.name: part})[0])
                for part in np.split(filled, len(filled) // at_once)
            ]
        except Exception as error:
            raise ValueError(f"{file} cannot answer: {error}") from None
        return np.concatenate(parts)[: len(values)]

    return side or fixed or 0, answer


def _side(shape: list[int | None], last: bool) -> int | None:
    """Of the square pictures that a shape fixes, in pixels."""
    if len(shape) == 1:
        return None if shape[0] is None else round((shape[0] / 3) ** 0.5)
    return shape[0 if last else 1]
