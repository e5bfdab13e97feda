"""Protect digits that need no download, and measure what a trainer gets: plainly, on grey and on JPEG pictures."""

import shutil
import sys
from pathlib import Path

from rich.progress import Progress
from sample_pictures import sample_pictures

from unlearnable import audit_folder, protect_folder
from unlearnable.audit.verdict import verdict

out = Path(sys.argv[1] if len(sys.argv) > 1 else "audit_digits_example")
out.mkdir(parents=True, exist_ok=True)
digits = out / "samples" / "digits"
sample_pictures(out / "samples")
for earlier in ("digits", "audit"):  # of the last demo
    shutil.rmtree(out / earlier, ignore_errors=True)
# Nobody looks at 16 px: all of the budget; and dealt in order, so that `accuse_digits.py` can tell keys apart.
protect_folder(digits / "train", out / "digits", key=out / "key", strength="full", deal="order")

print("training on faint handwritten digits, on the originals and on the protected copies ...")
with Progress() as progress:
    task = progress.add_task("")
    outcome = audit_folder(
        out / "digits",
        digits / "train",
        digits / "test",
        out / "audit",
        countermeasures="vanilla,gray,jpeg:quality=50",
        victim="resnet9:width=8",
        recipe="quick:epochs=24",
        on_progress=lambda now: progress.update(task, completed=now.done, total=now.total, description=now.what),
    )
print(f"\n{(out / 'audit' / 'audit.md').read_text()}\n" + "\n".join(verdict(outcome)))
print(f"\nlook at {out / 'audit' / 'audit.html'}")
