"""A folder protected with the pictures of a bank."""

import shutil

import pytest

from banks import small_bank
from unlearnable import protect_folder, reveal_folder, verify_folder
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


def test_drawings_of_another_version_are_another_run_and_reveal_without_a_key(job, photos, tmp_path, weights):
    job(secrets="render")
    report = tmp_path / "out" / "report.json"
    report.write_text(report.read_text().replace('"render-2"', '"render-1"'))
    assert verify_folder(tmp_path / "out", photos).ok
    with pytest.raises(RefusedError, match=r"another run .other secrets: render-2 instead of render-1\)"):
        job(secrets="render")
    words = {"path": tmp_path / "out", "weights": weights}
    with pytest.raises(ValueError, match=r"the drawings render-1, which this version does not know"):
        reveal_folder(out=tmp_path / "a", key=tmp_path / "key", **words)
    assert len(reveal_folder(out=tmp_path / "a", **words).revealed) == 5


def test_a_key_is_scored_by_the_weights_of_the_report_alone(job, tmp_path, weights):
    job(secrets="render")
    asked = {"path": tmp_path / "out", "weights": "third"}
    with pytest.raises(ValueError, match=r"expected the weights .* in .*third: name the --weights with which"):
        reveal_folder(out=tmp_path / "a", key=tmp_path / "key", **asked)
    with pytest.raises(ValueError, match=r"expected the weights .*: name the --weights with which"):
        reveal_folder(tmp_path / "out", tmp_path / "a", key=tmp_path / "key")  # they do not ship
    assert len(reveal_folder(out=tmp_path / "a", **asked).revealed) == 5
    assert reveal_folder(tmp_path / "out", tmp_path / "b", key=tmp_path / "key", weights=weights).key_score


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
