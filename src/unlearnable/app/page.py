"""The page itself."""

from functools import cache
from pathlib import Path

from jinja2 import Template

from unlearnable.app import choices
from unlearnable.pages.html import html_environment
from unlearnable.pages.text import as_utf8


def page(key: Path) -> str:
    """One HTML document, for an owner of this key."""
    text = _template().render(
        key=key,
        home=Path.home(),
        strengths=choices.strengths(),
        platforms=choices.platforms(),
        classes=choices.classes(),
        strips_location=choices.has("strip_location"),
        formats=choices.formats(),
        countermeasures=choices.COUNTERMEASURES,
    )
    return as_utf8(text)


@cache
def _template() -> Template:
    return html_environment("unlearnable.app").get_template("page.html.j2")
