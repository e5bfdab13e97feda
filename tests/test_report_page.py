"""The report's page, as it is written and as a browser shows it."""

import io
import json
import re
import shutil
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from PIL import Image

from reporting import DRAWING, SWEEP, filled, plan_in
from unlearnable.bench.figure import figure_key
from unlearnable.bench.plan import Plan
from unlearnable.report.content import report_content
from unlearnable.report.page import report_page

CHROMIUM = shutil.which("chromium")
WIDTHS = (1200, 500)
BAND = 300  # px; no part of the page so high is empty


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    plans = [Plan.read(plan_in(folder)), Plan.read(plan_in(folder, SWEEP, "sweep"))]
    for plan in plans:
        runs = filled(plan, folder / "runs")
    plans.append(Plan.read(plan_in(folder, DRAWING, "maps")))
    runs.figure("maps").parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (200, 900, 3), dtype=np.uint8)
    Image.fromarray(noise).save(runs.figure("maps"))
    drawing = plans[-1]
    numbers = [{"protection": "LSP", "rms": 5.93}, {"protection": "Deep Hiding (C)", "rms": 7.86, "hidden": 3}]
    notes = {
        "title": "Perturbation maps",
        "command": drawing.command,
        "key": figure_key(drawing, runs.cell),
        "numbers": numbers,
    }
    runs.figure("maps").with_suffix(".json").write_text(json.dumps(notes))
    return report_content(plans, runs)


@pytest.fixture(scope="module")
def written(content):
    return report_page(content)


def test_the_same_records_give_the_same_page(content, written):
    assert report_page(content) == written


def test_nothing_is_fetched_and_nothing_is_unescaped(written):
    addresses = re.findall(r'(?:src|href)="([^"]{0,12})', written)
    assert len(addresses) > 20 and all(address.startswith(("#", "data:image/")) for address in addresses)
    assert "http" not in re.sub(r"data:image/[^\"]+|http-equiv", "", written)
    assert "<b>figures</b>" not in written and "Made up &lt;b&gt;figures&lt;/b&gt;" in written


def test_every_link_has_its_target_once(written):
    ids = re.findall(r'\bid="([^"]+)"', written)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', written)) <= set(ids)


def test_a_figure_shows_its_numbers_and_leads_to_its_victims(content, written):
    (figure,) = content.illustrations
    start = written.index('<section aria-labelledby="figures">')
    section = written[start : written.index("</section>", start)]
    assert re.findall(r"<td[^>]*>([^<]*)</td>", section) == ["LSP", "5.93", "–", "Deep Hiding (C)", "7.86", "3"]
    assert len(figure.trained) == 3
    assert re.findall(r'href="#c-([^"]+)">([^<]+)<', section) == [
        (key, content.trained_cells[key].entry.name) for key in figure.trained
    ]


def test_every_training_has_a_record_and_is_led_to(content, written):
    for key, trained in content.trained_cells.items():
        assert f'id="c-{key}"' in written and f'href="#c-{key}"' in written
        assert trained.result.cell.train in written
    assert "a made up processor" in written and "torch 2.11.0" in written


@dataclass
class Seen:
    """A page in a browser.

    Attributes:
        page: of playwright.
        messages: on the console, and errors.
        requests: addresses that were fetched.
    """

    page: object
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def column(self, table: str, head: str) -> list[str]:
        """The values of a column from top to bottom."""
        return self.page.evaluate(
            """([table, head]) => {
              const found = document.querySelector(table);
              const heads = [...found.tHead.rows[0].cells];
              const index = heads.findIndex((cell) => cell.textContent.trim() === head);
              return [...found.tBodies[0].rows].map((row) => row.cells[index].dataset.value);
            }""",
            [table, head],
        )


@pytest.fixture(scope="module")
def seen(written, tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("needs chromium on the path")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(written, encoding="utf-8")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
        seen = Seen(page)
        page.on("console", lambda message: seen.messages.append(message.text))
        page.on("pageerror", lambda error: seen.messages.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(file.as_uri())
        yield seen
        browser.close()


def test_in_a_browser_it_says_and_fetches_nothing(seen):
    assert seen.messages == []
    assert [address for address in seen.requests if not address.startswith(("file://", "data:"))] == []


def test_in_a_browser_every_part_is_there_and_not_empty(seen, content):
    frontiers = sum(bool(board.frontier) for board in content.leaderboards())
    counts = {
        "table.board": 3 + 1,
        "table.figures": len(content.tables),
        "table.sets": 1,
        ".plot": 3 + 1 + frontiers,
        ".drawn": 1,
        ".record": len(content.trained_cells),
    }
    for selector, count in counts.items():
        parts = seen.page.query_selector_all(selector)
        assert len(parts) == count, selector
        for part in parts:
            box = part.bounding_box()
            assert box["width"] > 200 and box["height"] > 20, selector
            if selector != ".record":
                assert contrast(part.screenshot()) > 5, selector
    sizes = seen.page.evaluate("[...document.images].map((image) => [image.complete, image.naturalWidth])")
    assert len(sizes) == 5 + frontiers and all(complete and width > 300 for complete, width in sizes)


def test_in_a_browser_tables_are_sorted_by_click_and_by_key(seen):
    page, table, head = seen.page, "table.figures", "vanilla"
    before = seen.column(table, head)
    assert "" in before
    button = page.locator(f"{table} thead button", has_text="vanilla").first
    for presses, direction in ((button.click, "descending"), (lambda: press(page, button, "Enter"), "ascending")):
        presses()
        after = seen.column(table, head)
        numbers = [float(value) for value in after if value]
        assert numbers == sorted(numbers, reverse=direction == "descending") and len(numbers) == 4
        assert after[len(numbers) :] == [""]  # what is missing is last either way
        assert page.locator(f"{table} th[aria-sort]").first.get_attribute("aria-sort") == direction
    press(page, button, "Space")
    assert page.locator(f"{table} th[aria-sort]").first.get_attribute("aria-sort") == "descending"


def test_in_a_browser_means_over_other_columns_cannot_be_sorted(seen):
    heads = seen.page.locator("table.figures").first.locator("thead th")
    buttons = {heads.nth(index).inner_text().strip(): heads.nth(index).locator("button").count() for index in range(4)}
    assert buttons["row’s mean"] == buttons["row’s worst"] == 0 and buttons["method"] == buttons["vanilla"] == 1


def test_in_a_browser_a_figure_leads_to_its_record(seen, content):
    page = seen.page
    link = page.locator("table.figures a.got").first
    key = link.get_attribute("href").removeprefix("#c-")
    record = page.locator(f"#c-{key}")
    assert not record.locator(".command").is_visible()
    link.click()
    record.locator(".command").wait_for(state="visible", timeout=5000)
    text = record.inner_text()
    trained = content.trained_cells[key]
    for word in (trained.result.cell.train, trained.command, "torch 2.11.0", "a made up processor", "62 s"):
        assert word in text
    box = record.bounding_box()
    assert 0 <= box["y"] < 900
    assert record.locator("svg polyline").count() == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_in_a_browser_no_part_is_blank_or_cut_off(seen, width):
    page = seen.page
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L"), float)
    assert picture.shape[1] == width
    bands = [picture[top : top + BAND] for top in range(0, len(picture) - BAND, BAND)]
    assert len(bands) > 5
    assert [index for index, band in enumerate(bands) if band.std() < 4] == []


def contrast(png: bytes) -> float:
    """How much the values of a picture vary, in grey levels."""
    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L"), float).std())


def press(page, locator, key: str) -> None:
    """Press a key on what has the focus."""
    locator.focus()
    page.keyboard.press(key)


def test_a_record_may_spell_its_protection_in_another_way(tmp_path):
    plan = Plan.read(plan_in(tmp_path))
    runs = filled(plan, tmp_path / "runs")
    plots = re.findall(r"data:image/svg[^\"]+", report_page(report_content([plan], runs)))
    (what,) = {entry.training for entry in plan.cells if entry.row == "EM"}
    made = runs.sets.load(what.key)
    runs.sets.save(replace(made, what=replace(what, protection="em:surrogate=resnet9,per=class")))
    assert plots and plots == re.findall(r"data:image/svg[^\"]+", report_page(report_content([plan], runs)))
