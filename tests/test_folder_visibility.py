"""What people see of a protected folder: measured, stated, and checked again."""

import json

import pytest

from commands import run
from unlearnable import protect_folder, verify_folder
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.images.visibility import VisibilitySummary


@pytest.fixture
def noisy(photos, tmp_path):
    protect_folder(photos, tmp_path / "out", key=tmp_path / "key", method="noise", visibility=True)
    return tmp_path / "out"


def test_the_summary_is_that_of_the_manifest_and_holds(noisy, photos):
    stated = [entry.visibility for entry in read_manifest(noisy).values() if entry.visibility]
    assert 1 <= len(stated) <= 8
    assert VisibilitySummary(**Report.load(noisy).summary["visibility"]) == VisibilitySummary.of(stated)
    assert verify_folder(noisy, photos).ok


def test_a_prettier_figure_is_found_out(noisy, photos):
    manifest = noisy / "manifest.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    pretty = next(line for line in lines if "ssimulacra2" in line)
    pretty["ssimulacra2"] = 99.0
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = verify_folder(noisy, photos).violations
    assert "its summary is not that of the manifest" in found["report.json"]
    assert any("ssimulacra2 is" in problem for problem in found[pretty["output"]])


def test_without_it_nothing_is_stated_and_verify_measures_all(photos, tmp_path):
    report = protect_folder(photos, tmp_path / "out", key=tmp_path / "key", method="noise")
    assert "visibility" not in report.summary
    result = run("verify", tmp_path / "out", "--original", photos, "--visibility", "--json")
    found = json.loads(result.stdout)
    assert found["ok"] and found["visibility_summary"]["files"] == len(found["visibility"]) > 1
    said = run("verify", tmp_path / "out", "--original", photos, "--visibility").output
    assert "Most visible:" in said and "visible as JPEG" in said
