"""What people see of a protected folder: measured, stated, and checked again."""

import inspect
import json
from collections import Counter

import pytest

from commands import run
from unlearnable import ProtectOptions, protect_folder, protection_named, verify_folder
from unlearnable.cli.folder import protect
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.options import PULL
from unlearnable.images.strength import ASKED
from unlearnable.images.visibility import SAMPLE, VisibilitySummary


@pytest.fixture
def noisy(photos, tmp_path):
    protect_folder(photos, tmp_path / "out", key=tmp_path / "key", method="noise")
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


def measured(folder):
    return [name for name, entry in read_manifest(folder).items() if entry.visibility]


def test_all_files_a_number_or_none_are_measured(noisy, photos, tmp_path):
    """One after the other in one folder: each leaves what was asked for and nothing else."""
    words = ("protect", photos, noisy, "--key", tmp_path / "key", "--method", "noise", "--visibility")
    assert "of 2 files looked at" in run(*words, "2").output and len(measured(noisy)) == 2
    protected = [name for name, entry in read_manifest(noisy).items() if entry.status == "protected"]
    run(*words, "all")
    assert measured(noisy) == protected and len(protected) > 2
    said = run(*words, "none").output
    assert measured(noisy) == [] and f"unlearnable verify {noisy} --original {photos} --visibility" in said
    assert "a number of files, all or none, got some" in run(*words, "some", code=2).output


def test_the_command_measures_as_many_as_the_function():
    assert inspect.signature(protect).parameters["visibility"].default == str(SAMPLE)


def test_what_an_earlier_run_measured_is_not_measured_again(noisy, photos, tmp_path, monkeypatch):
    stages = []
    before = (noisy / "manifest.jsonl").read_bytes()
    monkeypatch.setattr("unlearnable.folder.protect.visibility_of_files", lambda *_: pytest.fail("measured again"))
    protect_folder(photos, noisy, key=tmp_path / "key", method="noise", on_stage=lambda *stage: stages.append(stage))
    assert (noisy / "manifest.jsonl").read_bytes() == before
    sample = len(measured(noisy))
    assert stages[-1] == ("looking", sample, sample)


def test_a_photo_that_is_gone_does_not_end_the_run(photos, tmp_path):
    options = {"key": tmp_path / "key", "method": "noise", "visibility": 0}
    protect_folder(photos, tmp_path / "out", **options)
    gone = next(iter(read_manifest(tmp_path / "out")))
    (photos / gone).unlink()
    protect_folder(photos, tmp_path / "out", **options | {"visibility": None})
    assert gone not in measured(tmp_path / "out") != []


def test_without_it_nothing_is_stated_and_verify_measures_all(photos, tmp_path):
    report = protect_folder(photos, tmp_path / "out", key=tmp_path / "key", method="noise", visibility=0)
    assert "visibility" not in report.summary
    result = run("verify", tmp_path / "out", "--original", photos, "--visibility", "--json")
    found = json.loads(result.stdout)
    assert found["ok"] and found["visibility_summary"]["files"] == len(found["visibility"]) > 1
    said = run("verify", tmp_path / "out", "--original", photos, "--visibility").output
    assert "Most visible:" in said and "visible as JPEG" in said


@pytest.mark.parametrize("strength", ["light", "standard", "strong"])
def test_a_strength_is_kept_stated_and_checked(job, photos, tmp_path, strength):
    report = job(photos, strength=strength, visibility=None, weights=None)
    entries = [entry for entry in read_manifest(tmp_path / "out").values() if entry.visibility]
    assert entries and report.options["strength"] == strength
    assert all(entry.visibility.ssimulacra2 >= ASKED[strength].small for entry in entries)
    limits = Counter(entry.limit for entry in entries)
    assert report.summary["limits"] == limits and limits["screen"]
    assert verify_folder(tmp_path / "out", photos).ok


def test_a_copy_that_is_seen_more_than_its_strength_allows_is_found_out(job, photos, tmp_path):
    job(photos, visibility=None, weights=None, strength="full")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    report["options"]["strength"] = "light"
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    found = verify_folder(tmp_path / "out", photos).violations
    lines = [line for lines in found.values() for line in lines]
    assert any("more is seen of it than its strength light allows" in line for line in lines)


def test_the_command_says_how_many_got_less(photos, tmp_path, weights):
    words = ("protect", photos, tmp_path / "out", "--key", tmp_path / "key", "--weights", weights)
    said = run(*words, "--strength", "light").output
    assert "Light is not enough against training" in " ".join(said.split())
    assert "with less than the budget, because more would be seen" in said
    words = ("protect", photos, tmp_path / "usual", "--key", tmp_path / "key", "--weights", weights)
    assert "not enough against training" not in " ".join(run(*words).output.split())
    refused = run(*words, "--strength", "light", "--budget", "linf:8", code=2).output
    assert "expected with the strength light a budget such as rms:8, got linf:8" in refused


def test_by_default_a_copy_is_standard_and_who_says_how_much_gets_all_of_it():
    assert ProtectOptions().protection().strength == "standard"
    assert ProtectOptions(strength="light").protection().strength == "light"
    assert ProtectOptions(budget="rms:8").protection().strength == "full"
    assert ProtectOptions(budget="rms:8", strength="strong").protection().strength == "strong"
    assert ProtectOptions("deep_hiding:stamp=0.5").protection().strength == "full"
    assert ProtectOptions("noise").protection() == protection_named("noise")


def test_against_backbones_is_a_share_of_the_energy_at_the_strength_that_is_the_default():
    against = ProtectOptions(against="backbones").protection()
    assert (against.pull, against.strength) == (PULL, "standard")
    assert ProtectOptions(against="scratch").protection() == ProtectOptions().protection()
    with pytest.raises(ValueError, match="against: an option of deep_hiding alone; noise has the parameters"):
        ProtectOptions("noise", against="backbones")
