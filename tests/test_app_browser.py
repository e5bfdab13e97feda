"""The page in a browser: what is clicked, what is seen, and that nothing is asked of any other computer."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from samples import picture
from unlearnable import ProtectOptions, protect_folder

api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs chromium on the path")
SOURCE = Path(__file__).parents[1] / "src"
PATIENCE = 90_000  # ms, on a busy machine


@pytest.fixture(scope="module")
def place(tmp_path_factory, weights):
    """Pictures, a key, and the page as a user starts it."""
    place = tmp_path_factory.mktemp("browser")
    (place / "key").write_bytes(bytes(32))
    for index in range(3):
        (place / "photos").mkdir(exist_ok=True)
        picture(index, 64, 48).save(place / "photos" / f"{index}.png")
    (place / "photos" / "broken.jpg").write_bytes(b"no picture")
    return place


@pytest.fixture(scope="module")
def address(place, weights):
    words = ["app", "--no-browser", "--key", place / "key", "--weights", weights]
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "TMPDIR": str(place)}
    command = [sys.executable, "-m", "unlearnable", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as program:
        lines = []
        for line in program.stderr:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        yield re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", "".join(lines))[0]
        program.send_signal(signal.SIGINT)
        assert "The page is closed." in program.stderr.read()
        assert program.wait(60) == 0
    assert not list(place.glob("unlearnable-app-*"))


@pytest.fixture(scope="module")
def chromium():
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """A tab of its own, which must ask nothing of anybody else, and complain of nothing."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page, asked, said = context.new_page(), [], []
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    yield page
    assert len(asked) > 5
    assert {re.match(r"\w+:(//[^/:]+)?", url)[0] for url in asked} <= {"http://127.0.0.1", "data:"}
    assert [text for text in said if "status of 400" not in text] == []  # which the page explains
    context.close()


def ended(page, kind):
    page.locator(f"#{kind}-state", has_text=re.compile("Done|Not done|Stopped")).wait_for()
    return page.locator(f"#{kind}-state").inner_text()


def test_drop_protect_compare_and_download(page, place, weights):
    assert "token" not in page.url
    files = [str(file) for file in sorted((place / "photos").iterdir())]
    page.locator("#protect input[type=file]:not([webkitdirectory])").set_input_files(files)
    page.get_by_text("4 files taken in.").wait_for()
    assert page.get_by_label("Into a zip to download").is_checked()
    page.get_by_role("button", name="Protect", exact=True).click()
    assert ended(page, "protect") == "Done"
    assert page.locator("#protect-state").evaluate("head => head === document.activeElement")
    page.locator("#protect .wipe").wait_for()
    rows = page.locator("#protect .files tbody tr").all_inner_texts()
    assert len(rows) == 4 and "broken.jpg" in rows[0] and "skipped: not a JPEG" in rows[0]
    page.get_by_role("button", name="Compare 1.png before and after").click()
    page.get_by_role("heading", name="Before and after, at 100 %: 1.png").wait_for()
    after, slider = page.get_by_alt_text("1.png, after"), page.locator("#protect .wipe input")
    box = after.bounding_box()
    assert (box["width"], box["height"]) == (64, 48)
    slider.focus()
    page.keyboard.press("Home")
    assert "50%" not in after.evaluate("image => getComputedStyle(image).clipPath")
    assert page.locator("#protect .pictures img").count() == 3
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the copies").click()
    shutil.unpack_archive(download.value.path(), place / "unpacked", "zip")
    options = ProtectOptions(strength="standard", weights=weights)
    protect_folder(place / "photos", place / "command", options, key=place / "key")
    expected = {file.name: file.read_bytes() for file in (place / "command").glob("*.png")}
    assert {file.name: file.read_bytes() for file in (place / "unpacked").glob("*.png")} == expected
    assert len(expected) == 3


def test_files_that_are_dropped_on_it(page):
    data = page.evaluate_handle(
        "() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'a.png')); return data; }"
    )
    page.locator("#protect [data-drop]").dispatch_event("drop", {"dataTransfer": data})
    page.get_by_text("1 file taken in.").wait_for()
    page.locator("#protect [data-drop]").dispatch_event("drop", {"dataTransfer": data})
    page.get_by_text("a.png was dropped already").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.locator("#protect").get_by_text("Nothing chosen yet.").wait_for()


def test_stop_and_go_on_from_a_folder(page, place):
    (source := place / "many").mkdir()
    for index in range(50):
        picture(index, 64, 64).save(source / f"{index:02}.png")
    page.get_by_label("Or the place of a folder on this computer").fill(str(source))
    assert page.get_by_label("Place of the folder for the copies").input_value() == f"{source} protected"
    page.get_by_role("button", name="Protect", exact=True).click()
    page.locator("#protect .files tbody tr").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    assert ended(page, "protect") in ("Stopped", "Done")
    page.reload()  # what was going on is shown again
    assert ended(page, "protect") in ("Stopped", "Done")
    page.get_by_label("Or the place of a folder on this computer").fill(str(source))
    page.get_by_role("button", name="Protect", exact=True).click()
    page.get_by_text("50 pictures protected, in").last.wait_for()
    assert len(list(Path(f"{source} protected").glob("*.png"))) == 50
    assert page.locator("#check-protected").input_value() == f"{source} protected"


def test_what_is_missing_is_said(page):
    page.get_by_role("button", name="Protect", exact=True).click()
    page.get_by_role("alert").filter(has_text="expected the folder of your pictures").wait_for()
    page.get_by_role("tab", name="Accuse").click()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("alert").filter(has_text="expected the folder of your copies").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_every_tab_fits_and_can_be_used_without_a_mouse(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    for name in ("Protect", "Check a picture", "Audit", "Accuse"):
        page.get_by_role("tab", name=name).wait_for()
        assert page.get_by_role("tab", name=name).get_attribute("aria-selected") == "true"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("[role=tabpanel]:not([hidden]) :is(input, select, button, a)")]
            .filter((one) => one.checkVisibility() && !one.labels?.length && !one.ariaLabel && !one.textContent.trim())
            .map((one) => one.outerHTML)"""
        )
        assert unnamed == []
        page.get_by_role("tab", name=name).focus()
        outline = page.get_by_role("tab", name=name).evaluate("tab => getComputedStyle(tab).outlineStyle")
        page.keyboard.press("ArrowRight")
        assert outline == "solid" or name == "Protect"  # which a mouse would not show
        page.wait_for_timeout(50)
    assert page.get_by_role("tab", name="Protect").get_attribute("aria-selected") == "true"


def test_another_page_reads_and_starts_nothing(chromium, address, tmp_path):
    """Of a browser that has the page open: by scripts, by pictures, by frames."""
    port = re.search(r":(\d+)/", address)[1]
    context = chromium.new_context()
    context.new_page().goto(address)
    stranger = tmp_path / "stranger.html"
    stranger.write_text("<!doctype html><title>stranger</title><p>Nothing to see.")
    page = context.new_page()
    page.goto(stranger.as_uri())
    said = page.evaluate(
        """async (port) => {
          const tried = [];
          for (const host of ["127.0.0.1", "localhost"]) {
            for (const init of [{}, {mode: "no-cors", credentials: "include"}, {method: "POST", body: "{}"}]) {
              try {
                const answer = await fetch(`http://${host}:${port}/jobs`, init);
                tried.push(await answer.text());
              } catch { tried.push("refused"); }
            }
          }
          return tried;
        }""",
        port,
    )
    assert set(said) <= {"refused", ""}
    page.set_content(f'<iframe src="http://127.0.0.1:{port}/"></iframe>')
    page.wait_for_timeout(500)
    assert not [frame for frame in page.frames if frame.locator("[role=tab]").count()]
    context.close()


def test_without_the_extra_it_says_what_to_install():
    program = (
        "import sys; sys.modules['starlette'] = None; from unlearnable.cli import app; "
        "app(['app', '--no-browser'], standalone_mode=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "pip install 'unlearnable[web]'" in done.stderr and "Traceback" not in done.stderr
