"""Stable Diffusion, ControlNet and CLIP with tiny random networks: everything but quality."""

import json
from pathlib import Path

import torch

LETTERS = "abcdefghijklmnopqrstuvwxyz"
UNET = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 8,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
    "in_channels": 4,
    "out_channels": 4,
    "sample_size": 8,
}
CODER = {
    "block_out_channels": (4, 4, 4, 4),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 2,
    "latent_channels": 4,
}


def tokenizer(folder: Path):
    """CLIP's tokenizer with the letters and one merge as its vocabulary."""
    from transformers import CLIPTokenizer

    tokens = [*LETTERS, *(letter + "</w>" for letter in LETTERS), "do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nd o\ndo g</w>\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def text_config():
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=56,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        projection_dim=8,
        bos_token_id=54,
        eos_token_id=55,
        pad_token_id=55,
    )


def save_diffusion(folder: Path) -> tuple[Path, Path]:
    """Folders of a pipeline and of a ControlNet."""
    from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, StableDiffusionControlNetPipeline
    from diffusers import UNet2DConditionModel as Unet
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    unet = Unet(**UNET)
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    zero = (control.controlnet_cond_embedding.conv_out, control.controlnet_mid_block, *control.controlnet_down_blocks)
    for layer in zero:
        torch.nn.init.normal_(layer.weight)  # zero, as they are to begin with, the edges would change nothing
    pipeline = StableDiffusionControlNetPipeline(
        vae=AutoencoderKL(**CODER),
        text_encoder=CLIPTextModel(text_config()),
        tokenizer=tokenizer(folder / "tokenizer"),
        unet=unet,
        controlnet=control,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model")
    control.save_pretrained(folder / "controlnet")
    return folder / "model", folder / "controlnet"


def save_clip(folder: Path) -> Path:
    """Folder of a CLIP text encoder."""
    from transformers import CLIPTextModelWithProjection

    torch.manual_seed(0)
    tokenizer(folder / "words").save_pretrained(folder / "clip")
    CLIPTextModelWithProjection(text_config()).save_pretrained(folder / "clip")
    return folder / "clip"
