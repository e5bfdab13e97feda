"""Hide one picture in another with the network alone, and reveal it."""

import sys
from pathlib import Path

import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from unlearnable import Hider, Key
from unlearnable.hiding.inference import perturbations, prepare, reveal_secrets, weights_named
from unlearnable.semantics.render import render

out = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
cover = torch.from_numpy(load_sample_image("flower.jpg")[:224, :224].copy()).permute(2, 0, 1)[None]
secret = torch.from_numpy(render(Key(bytes(32)), label=0, index=0, height=224, width=224))[None]

hider = prepare(Hider.load(weights_named()))
stego = (cover + perturbations(hider, cover, secret)).round().clamp(0, 255).byte()
revealed = reveal_secrets(hider, stego)

for name, picture in {"cover": cover, "secret": secret, "stego": stego, "revealed": revealed}.items():
    Image.fromarray(picture[0].permute(1, 2, 0).numpy()).save(out / f"{name}.png")
rms = (stego.float() - cover.float()).square().mean().sqrt()
error = (revealed.float() - secret.float()).square().mean()
print(f"changed by {rms:.1f} grey levels (RMS); the secret came back at {10 * torch.log10(255**2 / error):.1f} dB")
