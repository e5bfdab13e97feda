"""What all HTML pages share: how templates are found and escaped, and how pictures are put into a page."""

from base64 import b64encode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unlearnable.pages.curves import PLOT, height_of


def html_environment(package: str) -> Environment:
    """Templates of ``package``, which extend ``base.html.j2`` and import ``macros.html.j2``, beside this file."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("unlearnable.pages", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"plot": PLOT, "height_of": height_of}
    return environment


def data_uri(content: bytes, kind: str) -> Markup:
    """A file inside a page, such as one of the kind ``image/png``."""
    return Markup(f"data:{kind};base64,{b64encode(content).decode()}")
