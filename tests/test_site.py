"""The README is short, and the documentation builds as a site: offline, strictly, and without anything from the web."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import unlearnable

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "mkdocs.yml"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
pytest.importorskip("material", reason="needs the extra docs")
pytest.importorskip("mkdocstrings", reason="needs the extra docs")
pytestmark = pytest.mark.xdist_group("site")  # built once


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run([sys.executable, ROOT / "docs/build_site.py", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Resources(HTMLParser):
    """What a page loads."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        value = dict(attributes).get(LOADED.get(tag, ""))
        self.found += [value] if value else []


def test_nothing_is_loaded_from_the_web(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text())
        assert resources.found and not [one for one in resources.found if re.match(r"(\w+:)?//", one)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", style.read_text()), style


def test_every_public_name_is_on_the_page_of_python(site):
    page = (site / "docs" / "api.html").read_text()
    names = set(unlearnable.__all__) - {"__version__"}
    assert names == set(re.findall(r"^::: unlearnable\.(\w+)$", (ROOT / "docs/api.md").read_text(), re.M))
    assert all(f'id="unlearnable.{name}"' in page for name in names)
    assert page.count("Examples:</span>") >= len(names)


def test_every_command_is_on_the_page_of_commands(site):
    page = (site / "docs" / "commands.html").read_text()
    for command in ("unlearnable protect", "unlearnable accuse judge", "unlearnable hider import"):
        assert f">{command}<" in page and f">{command} " in page.replace("<span></span><code>", ">")


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"docs/\w+\.md", CONFIG.read_text()))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert listed == pages | {"docs/commands.md"}, "add the page to nav in mkdocs.yml"


@pytest.mark.parametrize("link", ["nowhere.md", "page.md#no-such-place", "/page.md", "folder/"])
def test_a_link_that_leads_nowhere_fails(link, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(f"# A page\n\n[somewhere]({link})\n")
    (tmp_path / "docs" / "index.md").write_text("# Start\n\n[a page](page.md#a-page)\n")
    settings = {"INHERIT": str(CONFIG), "docs_dir": "docs", "nav": ["index.md", "page.md"], "plugins": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.dump(settings | {"theme": {"name": "mkdocs"}}))
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", tmp_path / "mkdocs.yml"]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=env)
    assert done.returncode and done.stderr.count("WARNING") == 1, done.stderr
    assert "Doc file 'page.md' contains" in done.stderr


def test_the_readme_is_short_and_begins_with_a_picture():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    assert max(len(line) for line in lines) <= 120
    picture = ROOT / re.search(r"!\[[^]]+\]\((\S+)\)", "\n".join(lines[:5])).group(1)
    assert 10_000 < picture.stat().st_size < 400_000
    sections = re.findall(r"^## (\w+)", "\n".join(lines), re.M)
    assert sections[1:7] == ["Quick", "Protect", "Prove", "Compare", "Accuse", "From"]


def test_no_figure_of_the_readme_stands_in_brackets_without_a_heading():
    assert not re.findall(r"^\|.*\d \([\d.]+\)", (ROOT / "README.md").read_text(), re.M)
