import html
import json
import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from unlearnable.audit.markdown import markdown_table
from unlearnable.audit.outcome import AuditRow, Outcome, PublishedFolder, Sample, Wipe
from unlearnable.audit.page import audit_page
from unlearnable.bench.cell import Cell, Result
from unlearnable.images.quality import Quality
from unlearnable.images.visibility import Visibility
from unlearnable.training.history import Epoch

NASTY = '<script>alert("x")</script>&.png'
NASTY_COUNTERMEASURE = f"pretrained:weights={NASTY}"
CHROMIUM = shutil.which("chromium")


def result(accuracy, classes=10, seed=0, epochs=8):
    """A training that rises in a straight line and ends with ``accuracy`` in every class."""
    right = round(100 * accuracy)
    confusion = np.zeros((classes, classes), int)
    for label in range(classes):
        confusion[label, label] += right
        confusion[label, (label + 1) % classes] += 100 - right
    counts = tuple(map(tuple, confusion.tolist()))
    return Result(
        cell=Cell(
            train="a", test="b", clean="", weights="", size=32, victim="v", countermeasure="c", recipe="r", seed=seed
        ),
        epochs=tuple(
            Epoch(1.0, 0.9, accuracy * (epoch + 1) / epochs, (accuracy * (epoch + 1) / epochs,) * classes)
            for epoch in range(epochs)
        ),
        confusion=counts,
        peak_confusion=counts,
        seconds=61.5,
        device="a processor",
        versions={"python": "3.11.2", "torch": "2.11.0"},
    )


def row(name, clean, got, classes=10, seeds=1, epochs=8, protected=()):
    """``got`` and ``clean``, a point more with each seed."""
    sides = [
        tuple(result(value + seed / 100, classes, seed, epochs) for seed in range(seeds)) for value in (clean, got)
    ]
    return AuditRow(name, sides[0], sides[1], protected)


def sample(name, side=32):
    original = np.random.default_rng(0).integers(20, 230, (side, side, 3), dtype=np.uint8)
    return Sample(name, original, original + np.uint8(4))


PUBLISHED = PublishedFolder(
    count=5000,
    qualities=(Quality(31, 7.98, 30.1, 0.91), Quality(20, 6.0, 32.5, 0.97), Quality(0, 0.0, None, 1.0)),
    budget="rms:8",
    over_budget=0,
    samples=tuple(sample(f"class/{index}.png") for index in range(10)),
)
NORMAL = Outcome(
    classes=tuple(f"class {index}" for index in range(10)),
    protected_classes=(),
    train_count=5000,
    test_count=1000,
    size=32,
    victim="resnet9",
    recipe="quick",
    epochs=8,
    seeds=1,
    rows=(row("vanilla", 0.86, 0.15), row("jpeg:quality=10", 0.75, 0.61), row("early", 0.70, 0.67)),
    missing={"pretrained": "no weights were given"},
    published=PUBLISHED,
    command="unlearnable audit protected --original photos",
)
SEEDS = replace(NORMAL, seeds=3, rows=(row("vanilla", 0.8, 0.2, seeds=3), row("gaussf", 0.8, 0.21, seeds=3)))
OWNER = replace(NORMAL, protected_classes=(2, 5), rows=(row("vanilla", 0.86, 0.03, protected=(2, 5)),))
UNMEASURED = replace(
    NORMAL, published=PublishedFolder(count=7, qualities=(), budget=None, over_budget=0, samples=()), missing={}
)
UNCHANGED = replace(NORMAL, published=replace(PUBLISHED, qualities=(Quality(0, 0.0, None, 1.0),)))
NO_ROWS = replace(NORMAL, rows=())
NO_VANILLA = replace(NORMAL, rows=NORMAL.rows[1:])
ONE_EPOCH = replace(NORMAL, epochs=1, rows=(row("vanilla", 0.5, 0.2, epochs=1),))
MANY = replace(
    NORMAL,
    classes=tuple(f"class {index}" for index in range(100)),
    rows=(row("vanilla", 0.6, 0.02, classes=100, epochs=100),),
)
LONG = replace(
    NORMAL,
    seeds=3,
    rows=tuple(row(f"jpeg:quality={quality}", 0.8, 0.3, seeds=3, epochs=100) for quality in range(1, 31)),
)
KINDS = {
    "normal": NORMAL,
    "seeds": SEEDS,
    "owner": OWNER,
    "unmeasured": UNMEASURED,
    "unchanged": UNCHANGED,
    "no rows": NO_ROWS,
    "no vanilla": NO_VANILLA,
    "one epoch": ONE_EPOCH,
    "many classes": MANY,
    "long": LONG,
}


class Strict(HTMLParser):
    """Elements with their attributes; every one that is opened must be closed."""

    EMPTY = ("meta", "img")
    SHAPES = ("rect", "line", "circle", "polyline")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attributes):
        assert tag in self.SHAPES
        self.seen.append((tag, dict(attributes)))

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.seen if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).replace("\xa0", " ").split())


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return KINDS[request.param], audit_page(KINDS[request.param])


def test_nothing_is_fetched(kind):
    page = Strict(kind[1])
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]+", "", kind[1]))
    assert {tag for tag, _ in page.seen}.isdisjoint({"link", "iframe", "object", "base", "use"})
    assert all("src" not in script for script in page.all("script"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert len(kind[1]) < 2_000_000


def test_what_every_page_has(kind):
    outcome, text = kind
    page = Strict(text)
    assert "does not stop a determined trainer" in page.text
    assert outcome.command in page.text
    assert "sigma 0.1, is the identity" in page.text
    assert all(image["alt"] for image in page.all("img"))
    assert all(head["scope"] in ("row", "col") for head in page.all("th"))
    assert all(drawing.get("aria-label") or drawing.get("aria-hidden") for drawing in page.all("svg"))
    assert text.count('<th scope="row" class="spec">') == len(outcome.rows)
    assert text.count('<figure class="curves">') == len(outcome.rows)
    assert not re.search(r"\b(None|nan|(?<!L-)inf|Undefined)\b", page.text)
    assert text == audit_page(outcome)


def test_the_table_has_the_worst_case_first():
    page = audit_page(NORMAL)
    names = re.findall(r'<th scope="row" class="spec">([^<]*)', page)
    assert names == ["early", "jpeg:quality=10", "vanilla"]
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.findall(r'<td data-value="[^"]*"[^>]*>([^<]*)', line) for line in body.split("</tr>")[:3]]
    assert cells == [
        ["70.0", "70.0", "67.0", "67.0", "3.0"],
        ["75.0", "75.0", "61.0", "61.0", "14.0"],
        ["86.0", "86.0", "15.0", "15.0", "71.0"],
    ]
    foot = page.split("<tfoot>")[1].split("</tfoot>")[0]
    assert re.findall(r"<t[hd][^>]*>([^<]*)", foot) == ["mean of 3", "77.0", "77.0", "47.7", "47.7", "29.3"]
    assert re.findall(r'class="status (\w+)"', body) == ["gone", "weakened", "holds"]
    assert 'aria-label="published 15.0\xa0%, clean 86.0\xa0%, guessing 10.0\xa0%"' in body


def test_what_was_audited():
    text = Strict(audit_page(NORMAL)).text
    for part in ("5,000", "1,000, clean", "32 × 32 px", "resnet9", "quick, 8 epochs", "1 (seed 0)", "a processor"):
        assert part in text
    assert "python 3.11.2, torch 2.11.0" in text
    assert "6 min" in text
    assert "pretrained : no weights were given" in text


def test_quality_of_the_set():
    text = Strict(audit_page(NORMAL)).text
    for part in ("rms:8", "0 of 3 measured", "mean 4.66, highest 7.98", "highest 31", "mean 31.30, lowest 30.10"):
        assert part in text
    assert "(without 1 unchanged)" in text
    assert "mean 0.9600, lowest 0.9100" in text
    assert "Measured on 3 of 5,000 files" in text
    assert "was not measured" in Strict(audit_page(UNMEASURED)).text
    assert "there is no report of the set" in Strict(audit_page(UNMEASURED)).text
    assert "PSNR, dB – (without 1 unchanged)" in Strict(audit_page(UNCHANGED)).text


def test_seeds_give_deviations_and_a_curve_each():
    page = audit_page(SEEDS)
    assert "81.0 ± 1.0" in page
    assert "mean ± standard deviation of 3 trainings" in page
    assert "3 (seeds 0, 1, 2)" in page
    assert page.count('<polyline class="clean" points="34,') == 6


def test_controls_are_shown_and_not_counted():
    rows = (*NORMAL.rows, row("only_clean", 0.5, 0.5), row("gaussf", 0.86, 0.7))
    page, table = (make(replace(NORMAL, rows=rows)) for make in (audit_page, markdown_table))
    assert page.count("changes nothing: vanilla again") == 1
    assert re.findall(r'class="status (\w+)"', page) == ["control", "gone", "weakened", "control", "holds"]
    assert "| gaussf | 86.0 | 86.0 | 70.0 | 70.0 | 16.0 | control |" in table
    for foot in ("mean of 3", "77.0", "47.7", "29.3"):
        assert foot in page.split("<tfoot>")[1].split("</tfoot>")[0]
    assert "| mean of 3 | 77.0 | 77.0 | 47.7 | 47.7 | 29.3 | |" in table
    nothing = replace(NORMAL, rows=rows[-2:])
    assert "<tfoot>" not in audit_page(nothing) and "mean of" not in markdown_table(nothing)


def test_the_owners_case_speaks_of_recall():
    text = Strict(audit_page(OWNER)).text
    assert "of the protected classes (their recall)" in text
    assert "2: class 2, class 5" in text
    assert "recall" not in Strict(audit_page(NORMAL)).text


def test_confusions():
    assert audit_page(NORMAL).count('<table class="heat') == 2
    assert "100 classes are more than the 20" in Strict(audit_page(MANY)).text
    assert '<table class="heat' not in audit_page(MANY)
    assert "Ordinary training (vanilla) was not measured." in Strict(audit_page(NO_VANILLA)).text


def test_pictures_are_the_samples():
    images = [b64decode(image["src"].split(",")[1]) for image in Strict(audit_page(NORMAL)).all("img")]
    assert len(images) == 30
    original, published, perturbation = (np.asarray(Image.open(BytesIO(image))) for image in images[:3])
    assert (original == PUBLISHED.samples[0].original).all()
    assert (published == PUBLISHED.samples[0].published).all()
    assert (perturbation == 128 + 8 * 4).all()


def test_large_pictures_are_not_enlarged():
    page = audit_page(replace(NORMAL, size=224, published=replace(PUBLISHED, samples=(sample("a.png", 224),))))
    assert 'class="small"' not in page
    assert 'width="192" height="192"' in page


def test_names_are_text_and_never_markup():
    outcome = replace(
        NORMAL,
        classes=(NASTY, *NORMAL.classes[1:]),
        protected_classes=(0,),
        rows=(row("vanilla", 0.86, 0.15), row(NASTY_COUNTERMEASURE, 0.8, 0.7)),
        missing={NASTY: NASTY},
        command=NASTY,
        victim=f"resnet9:pretrained={NASTY}",
        published=replace(PUBLISHED, samples=(sample(NASTY),), budget=NASTY, over_budget=1),
    )
    page = audit_page(outcome)
    assert "<script>alert" not in page
    assert html.escape(NASTY, quote=False).split("(")[0] in page
    assert len(Strict(page).all("script")) == 1
    assert Strict(page).all("img")[0]["alt"] == f"{NASTY}, original"


def test_file_names_that_are_no_utf8_can_be_written():
    page = audit_page(replace(NORMAL, published=replace(PUBLISHED, samples=(sample("a\udcff.png"),))))
    assert "a?.png" in page.encode().decode()


def test_markdown():
    assert markdown_table(replace(NORMAL, missing={"a|b": "none\nwere <given>"})) == (
        "| countermeasure | clean final | clean peak | published final | published peak | difference | status |\n"
        "|---|---:|---:|---:|---:|---:|---|\n"
        "| early | 70.0 | 70.0 | 67.0 | 67.0 | 3.0 | gone |\n"
        "| jpeg:quality=10 | 75.0 | 75.0 | 61.0 | 61.0 | 14.0 | weakened |\n"
        "| vanilla | 86.0 | 86.0 | 15.0 | 15.0 | 71.0 | holds |\n"
        "| a\\|b | – | – | – | – | – | not measured: none were \\<given> |\n"
        "| mean of 3 | 77.0 | 77.0 | 47.7 | 47.7 | 29.3 | |\n"
        "\n"
        "| a trainer with | worst countermeasure | published peak | clean peak | % of clean |\n"
        "|---|---|---:|---:|---:|\n"
        "| the published pictures alone | early | 67.0 | 70.0 | 95.7 |\n"
        "\n"
        "Training pictures: 5,000; Test pictures: 1,000, clean; Published pictures: 5,000; Classes: 10; Picture size: "
        "32 × 32 px; Victim: resnet9; Recipe: quick, 8 epochs; Trainings a row and set: 1 (seed 0); Hardware: a "
        "processor; Time of all trainings: 6 min; Versions: python 3.11.2, torch 2.11.0.\n"
        "\n"
        "Published files as written. Promised budget: rms:8; Files over it: 0 of 3 measured; RMS difference, "
        "grey levels: mean 4.66, highest 7.98; L-inf, grey levels: highest 31; PSNR, dB: mean 31.30, lowest 30.10 "
        "(without 1 unchanged); SSIM: mean 0.9600, lowest 0.9100.\n"
    )
    assert "| vanilla | 81.0 ± 1.0 |" in markdown_table(SEEDS)
    assert "mean of" not in markdown_table(NO_ROWS)
    nothing = replace(NO_ROWS, missing={}, published=replace(PUBLISHED, qualities=(), budget="<rms:8>"))
    assert markdown_table(nothing).splitlines()[-2:] == ["", "Published files as written. Promised budget: \\<rms:8>."]


PROBE = """
onload = () => {
  const page = frames[0].document;
  const names = () => [...page.querySelectorAll(".results tbody th")].map((head) => head.textContent);
  const found = { before: names(), widths: [...page.images].map((image) => image.naturalWidth) };
  found.overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  page.querySelectorAll(".results thead button").forEach((button) => {
    button.click();
    (found.sorted ??= {})[button.textContent] = names();
  });
  document.body.textContent = JSON.stringify(found);
};
"""


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium on the path")
def test_a_browser_shows_it_on_a_phone(tmp_path):
    wrapper = tmp_path / "phone.html"
    frame = f'<iframe style="width: 400px" srcdoc="{html.escape(audit_page(NORMAL))}"></iframe>'
    wrapper.write_text(f"<!doctype html><meta charset=utf-8><script>{PROBE}</script><body>{frame}", encoding="utf-8")
    quiet = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    options = [f"--{option}" for option in f"{quiet} disable-component-update disable-sync dump-dom".split()]
    shown = subprocess.run(
        [CHROMIUM, *options, "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", wrapper.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "CONSOLE" not in shown.stderr
    found = json.loads(html.unescape(re.search(r"<body>(.*)</body>", shown.stdout, re.DOTALL)[1]))
    assert found["before"] == ["early", "jpeg:quality=10", "vanilla"]
    assert found["widths"] == [32] * 30
    assert found["overflow"] == 0
    assert found["sorted"]["countermeasure"] == ["vanilla", "jpeg:quality=10", "early"]
    assert found["sorted"]["clean peak"] == ["vanilla", "jpeg:quality=10", "early"]
    assert found["sorted"]["published peak"] == ["early", "jpeg:quality=10", "vanilla"]


def test_the_wipe_is_moved_by_the_keyboard(tmp_path):
    if not CHROMIUM:
        pytest.skip("needs chromium on the path")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    file, shown = tmp_path / "audit.html", sample(NASTY, 100)
    wipe = Wipe(shown.name, -20.0, shown.original, shown.published)
    published = replace(PUBLISHED, visibilities=(Visibility(10.0, -20.0, 0.1),), wipes=(wipe,))
    file.write_text(audit_page(replace(NORMAL, published=published)), encoding="utf-8")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(file.as_uri())
        page.locator(".wipe input").focus()
        cut = [page.locator(".wipe .over").evaluate("over => getComputedStyle(over).clipPath")]
        page.keyboard.press("Home")
        cut.append(page.locator(".wipe .over").evaluate("over => getComputedStyle(over).clipPath"))
        box = page.locator(".wipe .over").bounding_box()
        browser.close()
    assert "50%" in cut[0] and "50%" not in cut[1]
    assert (box["width"], box["height"]) == (100, 100)


def test_what_people_see_is_said_in_words_and_figures():
    seen = replace(PUBLISHED, visibilities=(Visibility(57.0, -60.0, 0.1), Visibility(57.0, 50.0, 0.2)))
    for text in (audit_page(replace(NORMAL, published=seen)), markdown_table(replace(NORMAL, published=seen))):
        assert "about as visible as JPEG 50" in text and "more visible than JPEG 10" in text and "mean 0.150" in text
    assert seen.summary["visibility"]["worst_crop_min"] == -60.0
