"""Protect a folder from Python, check it, and take the secrets out again."""

import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_images

from unlearnable import protect_folder, reveal_folder, verify_folder

out = Path(sys.argv[1] if len(sys.argv) > 1 else "protect_folder_example")
(out / "photos").mkdir(parents=True, exist_ok=True)
samples = load_sample_images()
for name, image in zip(samples.filenames, samples.images, strict=True):
    Image.fromarray(image).save(out / "photos" / Path(name).name)

report = protect_folder(out / "photos", out / "protected", key=out / "key", budget="linf:8", format="webp")
print("L-inf at most", report.summary["linf_max"], "on", report.summary["protected"], "files")
print("everything holds:", verify_folder(out / "protected", out / "photos").ok)
revelation = reveal_folder(out / "protected", out / "secrets", key=out / "key")
print("the key beats", revelation.key_score.beaten, "of", revelation.key_score.decoys, "decoys")
