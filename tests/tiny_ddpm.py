"""A DDPM of diffusers with a tiny random network: everything but quality."""

from pathlib import Path

import torch


def save_ddpm(folder: Path, size: int = 16, channels: int = 3) -> Path:
    """Folder of a pipeline for square pictures."""
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(4, 8),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=2,
    )
    DDPMPipeline(network, DDPMScheduler()).save_pretrained(folder)
    return folder
