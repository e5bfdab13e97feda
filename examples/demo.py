"""Protect real pictures that need no download, or your own, and show what was done."""

import argparse
import shutil
from pathlib import Path

from sample_pictures import sample_pictures

from unlearnable import protect_folder, verify_folder
from unlearnable.folder.preview import quality_table, side_by_side

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything that is made")
parser.add_argument("--photos", type=Path, help="protect your own folder instead")
arguments = parser.parse_args()

out, photos = arguments.out, arguments.photos or arguments.out / "samples" / "photos"
out.mkdir(parents=True, exist_ok=True)
if not arguments.photos:
    sample_pictures(out / "samples")
if (out / "protected" / "report.json").exists():  # of the last demo
    shutil.rmtree(out / "protected")

report = protect_folder(photos, out / "protected", key=out / "key")
verification = verify_folder(out / "protected", photos)
for file in report.skipped:
    print(f"skipped {file['file']}: {file['reason']}")
print(f"{report.summary['protected']} pictures protected, {report.summary['skipped']} skipped;", end=" ")
print(f"{verification.checked} checked again from the files, {len(verification.violations)} with violations")
if report.summary["protected"]:
    side_by_side(photos, out / "protected", out / "key", out / "side_by_side.png")
    (out / "table.md").write_text(quality_table(out / "protected"))
    print(f"\n{(out / 'table.md').read_text()}")
    for file in ("side_by_side.png", "table.md", "protected/", "protected/manifest.jsonl", "protected/report.json"):
        print(f"look at {out / file}")
