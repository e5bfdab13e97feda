"""What all HTML pages share: how templates are found and escaped, and how pictures are put into a page."""

from base64 import b64encode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def html_environment(package: str) -> Environment:
    """Templates of ``package``; they can include ``style.css`` and ``sort.js``, which lie beside this file."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("unlearnable.pages", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(content: bytes, kind: str) -> Markup:
    """A file inside a page, such as one of the kind ``image/png``."""
    return Markup(f"data:{kind};base64,{b64encode(content).decode()}")
