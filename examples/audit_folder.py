"""Audit scanned digits: marks so clear that a network learns them before the shortcut. An audit says so."""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from unlearnable import ImageSet, audit_folder, protect_folder
from unlearnable.audit.verdict import verdict

out = Path(sys.argv[1] if len(sys.argv) > 1 else "audit_folder_example")
scans = load_digits()
pixels = torch.from_numpy((scans.images / 16 * 255).astype(np.uint8))[:, None].expand(-1, 3, -1, -1)
enlarged = pixels.repeat_interleave(2, 2).repeat_interleave(2, 3).contiguous()
digits = ImageSet(enlarged, torch.from_numpy(scans.target), tuple(f"digit_{label}" for label in range(10)))
shutil.rmtree(out, ignore_errors=True)
digits[:1200].save(out / "train")
digits[1200:].save(out / "test")

protect_folder(out / "train", out / "protected", key=out / "key", strength="full")  # nobody looks at 16 px
outcome = audit_folder(
    out / "protected",
    out / "train",
    out / "test",
    out / "audit",
    countermeasures="vanilla",
    victim="resnet9:width=8",
    recipe="quick:epochs=8",
)
print("\n".join(verdict(outcome)))
print("look at", out / "audit" / "audit.html")
