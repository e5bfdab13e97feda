"""A folder protected with the pictures of a bank."""

import json
import shutil

import pytest

from banks import small_bank
from unlearnable import protect_folder, reveal_folder, verify_folder
from unlearnable.folder.manifest import Report, read_manifest
from unlearnable.folder.protect import RefusedError


@pytest.fixture
def bank(tmp_path):
    return small_bank(tmp_path / "semantics", classes=4)


@pytest.fixture
def job(tmp_path, photos, weights, bank):
    def run(src=photos, **options):
        defaults = {"key": tmp_path / "key", "weights": weights, "secrets": bank.folder}
        return protect_folder(src, tmp_path / "out", **defaults | options)

    return run


def test_protect_verify_resume(job, photos, tmp_path, bank):
    report = job()
    assert report.options["secrets"] == f"bank:{bank.fingerprint}"
    assert str(bank.folder) not in (tmp_path / "out" / "report.json").read_text()
    assert verify_folder(tmp_path / "out", photos).ok
    moved = bank.folder.rename(tmp_path / "elsewhere")
    assert job(secrets=moved).summary == report.summary


def test_other_secrets_are_another_run(job, tmp_path):
    job()
    other = small_bank(tmp_path / "other", seed=1).folder
    for secrets in ("render", other):
        with pytest.raises(RefusedError, match=r"another run .other secrets"):
            job(secrets=secrets)


def aged(out, secrets):
    """Make a run look like one from before secrets were dealt, or from before there were banks."""
    stored = json.loads((out / "report.json").read_text())
    del stored["secret_numbers"], stored["options"]["deal"], stored["options"]["secrets"], stored["options"]["stamp"]
    stored["options"] |= {"secrets": secrets} if secrets else {}
    (out / "report.json").write_text(json.dumps(stored))
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    kept = [{name: value for name, value in line.items() if name != "secret_number"} for line in lines]
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))


def test_a_run_from_before_secrets_were_dealt_goes_on_in_order(job, photos, tmp_path, bank):
    report = job(deal="order")
    aged(tmp_path / "out", report.options["secrets"])
    assert Report.load(tmp_path / "out") == report
    assert verify_folder(tmp_path / "out", photos).ok
    with pytest.raises(RefusedError, match="other deal: contrary instead of order"):
        job()
    assert job(deal="order") == report
    assert {e.secret_number for e in read_manifest(tmp_path / "out").values()} == {0, 1, 2}


@pytest.mark.parametrize("recorded", [None, "render"])
def test_older_drawings_are_another_run_and_reveal_without_a_key(job, photos, tmp_path, weights, recorded):
    job(secrets="render", deal="order")
    aged(tmp_path / "out", recorded)
    assert verify_folder(tmp_path / "out", photos).ok
    with pytest.raises(RefusedError, match=r"another run .other secrets: render-2 instead of render\)"):
        job(secrets="render", deal="order")
    words = {"path": tmp_path / "out", "weights": weights}
    with pytest.raises(ValueError, match=r"the drawings render, .* makes render-2: it reveals them without --key"):
        reveal_folder(out=tmp_path / "a", key=tmp_path / "key", **words)
    assert len(reveal_folder(out=tmp_path / "a", **words).revealed) == 5


def test_refused_before_anything_is_written(job, photos, tmp_path, bank):
    few = small_bank(tmp_path / "few", classes=2).folder
    shutil.copytree(bank.folder, photos / "bank")
    before = sorted(tmp_path.rglob("*"))
    for secrets, reason in [
        (few, "expected at most 2 classes"),
        (photos / "bank", "would be taken for a picture"),
        (tmp_path / "out" / "bank", r"expected bank\.json"),
        (tmp_path / "missing", r"expected bank\.json"),
    ]:
        with pytest.raises((ValueError, FileNotFoundError), match=reason):
            job(secrets=secrets)
        assert sorted(tmp_path.rglob("*")) == before


def test_reveal_scores_with_the_bank_and_no_other(job, tmp_path, weights, bank):
    job()
    words = {"path": tmp_path / "out", "key": tmp_path / "key", "weights": weights}
    revelation = reveal_folder(out=tmp_path / "a", secrets=bank.folder, **words)
    assert revelation.key_score is not None and len(revelation.revealed) == 5
    for secrets in ("render", small_bank(tmp_path / "other", seed=1).folder):
        with pytest.raises(ValueError, match=r"expected secrets of bank:.* name --secrets"):
            reveal_folder(out=tmp_path / "b", secrets=secrets, **words)
    assert not (tmp_path / "b").exists()
