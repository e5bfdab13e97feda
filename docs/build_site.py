"""Build the documentation as a site that opens offline: ``python docs/build_site.py [FOLDER]``, or ``make docs``.

Pages are written for whoever reads them in the repository. So the site's source is a copy of what they link to, in the
same places, in a temporary folder; then MkDocs builds it, and a link that leads nowhere is an error. Made for the
site alone: the help of every command, the tutorial as a page, and a list of files for every folder of results.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_type_hints

import nbformat
from typer.main import get_command

from unlearnable.cli import app

ROOT = Path(__file__).resolve().parents[1]
COPIED = (
    *("*.md", "LICENSE", "pyproject.toml", "docs/*.md", "docs/*.svg", "docs/*.webp", "docs/*.css", "docs/*.js"),
    *("results/**/*", "examples/*", "src/unlearnable/hiding/weights/*/*.md", "src/unlearnable/hiding/weights/*/*.png"),
)
WORDS = {Path: "a path", str: "text", int: "a whole number", float: "a number", bool: ""}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(<?([^)#>\s]+)>?(#[^)]*)?\)")


def stage(source: Path) -> None:
    """Fill the folder that MkDocs reads."""
    for file in sorted({file for pattern in COPIED for file in ROOT.glob(pattern) if file.is_file()}):
        copy(file, source)
    for folder in [source / "results", *(path for path in (source / "results").rglob("*") if path.is_dir())]:
        write(folder / "index.md", listing(folder, source))
    write(source / "docs" / "commands.md", commands())
    write(source / "examples" / "tutorial.md", notebook(source / "examples" / "tutorial.ipynb", source))


def copy(file: Path, source: Path) -> None:
    """A file to its place below ``source``, and of a page also what else of the repository it links to."""
    target = source / file.resolve().relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".md":
        write(target, LINK.sub(lambda found: linked(found, file, source), file.read_text()))
    elif not target.exists():
        shutil.copyfile(file, target)


def linked(link: re.Match[str], page: Path, source: Path) -> str:
    """A link as the site needs it: a folder's leads to the list of its files, and a notebook's to its page."""
    drawn, text, address, place = link.groups()
    target = page.parent / address
    if "://" in address or address.startswith("mailto:"):
        return link.group(0)
    if drawn and not target.exists() and page.is_relative_to(ROOT / "results"):
        return f"({text}: the picture is made by the command above.)"
    if target.is_dir():
        address = f"{address.rstrip('/')}/index.md"
    elif target.suffix == ".ipynb":
        address = f"{address.removesuffix('.ipynb')}.md"
    elif target.is_file() and target.suffix != ".md":
        copy(target, source)
    return f"{drawn}[{text}]({address}{place or ''})"


def listing(folder: Path, source: Path) -> str:
    """A page that names the files of a folder."""
    name = folder.relative_to(source)
    files = sorted(path.name + ("/index.md" if path.is_dir() else "") for path in folder.iterdir())
    lines = [f"- [{file.removesuffix('/index.md')}]({file})" for file in files if file != "index.md"]
    return f"# {name}\n\n" + "\n".join(lines) + "\n"


def commands() -> str:
    """A page with the help of every command: its example, what it does, and a table of what it takes."""
    pages = ["# Commands\n\nWhat `--help` says of each.\n"]

    def add(command: Any, words: tuple[str, ...]) -> None:
        example, *text = command.help.split("\n\n")
        pages.append(f"## {' '.join(words)}\n\n```\n{example.removeprefix('Example: ')}\n```\n\n" + "\n\n".join(text))
        hints = get_type_hints(command.callback)
        if rows := [row(parameter, hints[parameter.name]) for parameter in command.params if parameter.name in hints]:
            pages.append("\n".join(["| option | takes | what it is | when left out |", "|---|---|---|---|", *rows]))
        for name, child in getattr(command, "commands", {}).items():
            add(child, (*words, name))

    add(get_command(app), ("unlearnable",))
    return "\n\n".join(pages) + "\n"


def row(parameter: Any, hint: Any) -> str:
    """A line of the table of a command."""
    option = parameter.opts[0].startswith("-")
    names = [*parameter.opts, *parameter.secondary_opts] if option else [parameter.name.upper()]
    shown, default = getattr(parameter, "show_default", None), parameter.default
    if parameter.required or isinstance(shown, str):
        default = "must be given" if parameter.required else shown
    elif default in (None, False, []) or default is True:
        default = ""
    what = (parameter.help or "").replace("\\[", "[").replace("|", "\\|")
    return f"| {' '.join(f'`{name}`' for name in names)} | {takes(hint)} | {what} | {default} |"


def takes(hint: Any) -> str:
    """What an option takes, in words."""
    if hint in WORDS:
        return WORDS[hint]
    parts = [str(part) if isinstance(part, str) else takes(part) for part in get_args(hint) if part is not type(None)]
    return ", ".join(parts)


def notebook(file: Path, source: Path) -> str:
    """A notebook as a page: text, code, and what came out, pictures as files beside the page."""
    parts, pictures = [], 0
    for cell in nbformat.read(file, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(LINK.sub(lambda found: linked(found, ROOT / "examples" / "tutorial.md", source), cell.source))
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data or "image/webp" in data:
                kind, pictures = next(kind for kind in data if kind.startswith("image/")), pictures + 1
                picture = file.with_name(f"tutorial_{pictures}.{kind.partition('/')[2]}")
                picture.write_bytes(base64.b64decode(data[kind]))
                parts.append(f"![What the cell above draws]({picture.name})")
            else:
                parts.append(f"```text\n{(output.get('text') or data['text/plain']).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def write(file: Path, text: str) -> None:
    """Text to a file, whose folder is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def main() -> None:
    """Stage, and build."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", ROOT / "mkdocs.yml"]
    with TemporaryDirectory() as folder:
        source = Path(folder).resolve()
        stage(source)
        settings = {"SITE_SOURCE": str(source), "NO_MKDOCS_2_WARNING": "1"}
        done = subprocess.run([*words, "--site-dir", out], cwd=ROOT, env=os.environ | settings)
    if done.returncode:
        sys.exit("a page is not as it should be; MkDocs says above which one")
    print(f"look at {out / 'index.html'}")


if __name__ == "__main__":
    main()
