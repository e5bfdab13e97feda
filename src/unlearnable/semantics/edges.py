"""The edge map that a photograph's shape is controlled by: Canny (IEEE TPAMI 1986), by OpenCV."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

LOW, HIGH = 100, 200  # as in ControlNet's own example (Zhang, Rao and Agrawala, ICCV 2023, arXiv 2302.05543)


def canny(picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "h w"]:
    """255 on edges, 0 elsewhere."""
    import cv2

    edges: UInt8[ndarray, "h w"] = cv2.Canny(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), LOW, HIGH)
    return edges
