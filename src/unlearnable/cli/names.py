"""What can be named on the command line."""

from typing import TYPE_CHECKING, Any

from unlearnable.cli.console import Json, print_json, say

if TYPE_CHECKING:
    from unlearnable.registry import Registry


def list_names(as_json: Json = False) -> None:
    """Every registered name, with its parameters and their defaults."""
    names = everything()
    if as_json:
        print_json(names)
        return
    for kind, members in names.items():
        say(f"{kind}: {'' if members else 'none yet'}")
        for name, parameters in members.items():
            shown = ", ".join(f"{key}={'…' if value is None else value}" for key, value in parameters.items())
            say(f"  {name}{':' if shown else ''}{shown}")


def registries() -> "dict[str, Registry[Any]]":
    """Every registry, by what its members are."""
    from unlearnable.countermeasures import countermeasures
    from unlearnable.datasets import datasets
    from unlearnable.figures import figures
    from unlearnable.protections import protections
    from unlearnable.training.recipes import recipes
    from unlearnable.victims.architectures import victims

    found: list[Registry[Any]] = [protections, countermeasures, victims, recipes, datasets, figures]
    return {registry.kind: registry for registry in found}


def everything() -> dict[str, dict[str, dict[str, Any]]]:
    """Kind, name, parameter, default."""
    return {kind: {name: registry.parameters(name) for name in registry} for kind, registry in registries().items()}
