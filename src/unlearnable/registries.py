"""All registries in one view: what `unlearnable list` prints and the contract tests run over."""

from typing import Any

from unlearnable.images import datasets
from unlearnable.protections import protections
from unlearnable.spec import Registry


def registries() -> dict[str, Registry[Any]]:
    """Every registry, by what its members are."""
    found: list[Registry[Any]] = [protections, Registry("countermeasures"), Registry("victims"), datasets]
    return {registry.kind: registry for registry in found}


def everything() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind, name, parameter, default."""
    return {kind: {name: registry.parameters(name) for name in registry} for kind, registry in registries().items()}
