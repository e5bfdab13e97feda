"""Semantic images by Stable Diffusion under the edges of a photograph, by ControlNet (paper, section 3.2.3).

"High-Resolution Image Synthesis with Latent Diffusion Models" (Rombach, Blattmann, Lorenz, Esser and Ommer, CVPR
2022, arXiv 2112.10752); "Adding Conditional Control to Text-to-Image Diffusion Models" (Zhang, Rao and Agrawala,
ICCV 2023, arXiv 2302.05543). Run by diffusers, from safetensors alone.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from unlearnable.compute.devices import device_named

LOW, HIGH = 100, 200  # as in ControlNet's own example (Zhang, Rao and Agrawala, ICCV 2023, arXiv 2302.05543)


def canny(picture: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "h w"]:
    """255 on edges, 0 elsewhere."""
    import cv2

    edges: UInt8[ndarray, "h w"] = cv2.Canny(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), LOW, HIGH)
    return edges


STRIDE = 8  # px of the picture a latent pixel


class Diffusion:
    """A text prompt and an edge map in, a picture out.

    Diffusers' safety checker is not run: it puts a black picture silently in the place of one that it suspects. A
    picture of one single colour, as a broken decoder gives in half precision, is an error instead.

    Args:
        diffusion: folder or hub id of Stable Diffusion.
        controlnet: folder or hub id of a ControlNet for Canny edges.
        steps: of denoising.
        guidance: weight of the prompt (Ho and Salimans, 2022, arXiv 2207.12598).
        size: side of the pictures in px, a multiple of 8.
        device: torch device; CUDA, in half precision, where there is one when None.

    Raises:
        ValueError: the size will not do.
    """

    def __init__(
        self, diffusion: str, controlnet: str, steps: int, guidance: float, size: int, device: str | None = None
    ) -> None:
        if size % STRIDE:
            raise ValueError(f"expected a size that is a multiple of {STRIDE} px for diffusion, got {size}")
        self.diffusion, self.controlnet, self.device = diffusion, controlnet, device
        self.steps, self.guidance, self.size = steps, guidance, size

    def draw(self, prompt: str, photograph: UInt8[ndarray, "side side 3"], seed: int) -> UInt8[ndarray, "3 side side"]:
        """A picture of ``prompt`` with the edges of ``photograph``; noise from ``seed``, the same on every device."""
        edges = Image.fromarray(canny(photograph)).convert("RGB")
        drawn = self._pipeline(
            prompt,
            image=edges,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        ).images[0]
        if not np.isfinite(drawn).all() or np.ptp(drawn) == 0:
            raise ValueError(
                f"{self.diffusion} drew one single colour for {prompt!r} with seed {seed}; try --device cpu"
            )
        picture: UInt8[ndarray, "3 side side"] = (drawn * 255).round().astype(np.uint8).transpose(2, 0, 1)
        return picture

    @cached_property
    def _pipeline(self) -> Any:
        """The networks, loaded when the first picture is drawn."""
        from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

        device = device_named(self.device)
        control = ControlNetModel.from_pretrained(self.controlnet, use_safetensors=True, **_place(self.controlnet))
        pipeline = StableDiffusionControlNetPipeline.from_pretrained(
            self.diffusion,
            controlnet=control,
            safety_checker=None,
            requires_safety_checker=False,
            use_safetensors=True,
            **_place(self.diffusion),
        )
        pipeline = pipeline.to(device, torch.float16) if device.type == "cuda" else pipeline.to(device)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def _place(name: str) -> dict[str, bool]:
    """A folder is read as it is, never completed from the hub."""
    return {"local_files_only": Path(name).is_dir()}
