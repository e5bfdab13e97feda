"""What can be named on the command line."""

from typing import Any

import typer

from unlearnable.cli.console import Json, print_json
from unlearnable.registry import Parameter, Registry, text_of

HOW = "Write NAME, or NAME:PARAMETER=VALUE,…, such as jpeg:quality=50,test=true."


def list_names(as_json: Json = False) -> None:
    """Every registered name, with its parameters, their defaults, and what each of them takes.

    Example:
        unlearnable list
    """
    if as_json:
        print_json(everything())
        return
    rows = [row for registry in registries().values() for row in _rows(registry)]
    widths = [2 + max(len(row[column]) for row in rows) for column in (0, 1)]
    typer.echo(HOW)
    for name, default, takes in rows:
        typer.echo(f"{name:{widths[0]}}{default:{widths[1]}}{takes}".rstrip())


def registries() -> dict[str, Registry[Any]]:
    """Every registry, by what its members are."""
    from unlearnable.countermeasures import countermeasures
    from unlearnable.datasets import datasets
    from unlearnable.figures import figures
    from unlearnable.protections import protections
    from unlearnable.training.recipes import recipes
    from unlearnable.victims.architectures import victims

    found: list[Registry[Any]] = [protections, countermeasures, victims, recipes, datasets, figures]
    return {registry.kind: registry for registry in found}


def everything() -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Kind, name, parameter, and what it takes as JSON Schema."""
    return {
        kind: {
            name: {key: parameter.schema for key, parameter in registry.parameters(name).items()} for name in registry
        }
        for kind, registry in registries().items()
    }


def _rows(registry: Registry[Any]) -> list[tuple[str, str, str]]:
    """One registry: its heading, and every name with a line a parameter."""
    rows = [("", "", ""), (registry.kind.upper(), "default", "takes")]
    for name in registry:
        rows.append((f"  {name}", "", ""))
        for key, parameter in registry.parameters(name).items():
            rows.append((f"    {key}", _default(parameter), parameter.words))
    return rows


def _default(parameter: Parameter) -> str:
    return "(must be given)" if parameter.default is None else text_of(parameter.default) or "(empty)"
