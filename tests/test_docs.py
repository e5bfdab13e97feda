"""What docs/ says of files that are written is what is written, field by field."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from banks import small_bank
from unlearnable import Key, protect_folder
from unlearnable.accuse.sealed import Sealed, SealedProbe
from unlearnable.folder.manifest import ManifestEntry, Report
from unlearnable.images.quality import Quality
from unlearnable.images.visibility import Visibility
from unlearnable.semantics.bank import VERSION, Bank
from unlearnable.semantics.options import BankOptions
from unlearnable.semantics.secrets import RenderedSecrets

DOCS = Path(__file__).parents[1] / "docs"


def tables(page):
    """The rows of every table of a page: the names in the first column, and the text of the second."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", (DOCS / page).read_text(), re.MULTILINE):
        rows = [line.strip("| \n").split(" | ") for line in block.splitlines()[2:]]
        found.append([(re.findall(r"`(\w+)`", row[0]), row[1]) for row in rows])
    return found


def names(table):
    return sorted(name for row, _ in table for name in row)


def of(kind):
    return {field.name for field in fields(kind)}


@pytest.fixture
def reports(photos, tmp_path, weights):
    """A run that hides and writes PNG, and one of groups that hides nothing and writes small JPEG."""
    key, flat = tmp_path / "key", {"classes": "auto", "platform": "x", "format": "jpeg"}
    asked = {"ask": "no-mining", "terms": "Ask me.", "strip_location": True}
    (photos / "cat" / "b.jpg").write_bytes((photos / "dog" / "a.jpg").read_bytes()[:-2])  # leaves a note
    return [
        protect_folder(photos, tmp_path / "hiding", key=key, weights=weights, strength="standard"),
        protect_folder(photos, tmp_path / "noise", key=key, method="noise", budget="l0:2", **flat, **asked),
    ]


def test_manifest_and_report_have_the_fields_of_the_documentation(reports):
    entry, report, option = tables("manifest.md")
    assert names(entry) == sorted(of(ManifestEntry) - {"quality", "visibility"} | of(Quality) | of(Visibility))
    assert names(report) == sorted(of(Report))
    assert names(option) == sorted({name for report in reports for name in report.options})
    hiding = sorted(name for row, text in option if text.startswith("of `deep_hiding`") for name in row)
    assert hiding == sorted(reports[0].options.keys() - reports[1].options.keys())
    (summary,) = (text for row, text in report if row == ["summary"])
    written = {name for report in reports for name in report.summary} | reports[0].summary["rms"].keys()
    written |= reports[0].summary["visibility"].keys()
    assert written - {"l0"} == set(re.findall(r"`(\w+)`", summary)) - {"l0"}


def test_the_version_of_the_drawings_is_that_of_the_documentation():
    page, version = (DOCS / "manifest.md").read_text(), RenderedSecrets(Key(bytes(32))).fingerprint
    assert set(re.findall(r"render-\d+", page)) == {version}
    assert set(re.findall(rf"`{version}` is version (\d+)", page)) == {version.rpartition("-")[2]}


def test_bank_json_has_the_fields_of_the_documentation(tmp_path):
    (rows,) = (table for table in tables("semantics.md") if ["version"] in [row for row, _ in table])
    described = {name: text for row, text in rows for name in row}
    assert described.keys() == of(Bank) - {"folder"} | {"version"}
    assert described["version"] == str(VERSION)
    bank = small_bank(tmp_path, classes=2, per_class=1)
    options = (
        BankOptions("diffusion", 1, 1, "captions", "images", diffusion="a", controlnet="b").networks | bank.options
    )
    assert set(re.findall(r"`(\w+)`", described["generator"])) == options.keys()
    assert all(f"`{name}`" in described["distances"] for name in bank.distances)


def test_a_sealed_record_has_the_fields_of_the_documentation():
    (rows,) = tables("accuse.md")[-1:]
    assert names(rows) == sorted(of(Sealed))
    (probes,) = (text for row, text in rows if row == ["probes"])
    assert set(re.findall(r"`(\w+)`", probes)) == of(SealedProbe)
