"""All registries in one view: what `unlearnable list` prints and the contract tests run over."""

from typing import Any

from unlearnable.countermeasures import countermeasures
from unlearnable.datasets import datasets
from unlearnable.figures import figures
from unlearnable.protections import protections
from unlearnable.recipes import recipes
from unlearnable.spec import Registry
from unlearnable.victims import victims


def registries() -> dict[str, Registry[Any]]:
    """Every registry, by what its members are."""
    found: list[Registry[Any]] = [protections, countermeasures, victims, recipes, datasets, figures]
    return {registry.kind: registry for registry in found}


def everything() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind, name, parameter, default."""
    return {kind: {name: registry.parameters(name) for name in registry} for kind, registry in registries().items()}
