"""What every registered name promises."""

import json
from dataclasses import is_dataclass

import pytest

from unlearnable.cli.names import everything, registries
from unlearnable.registry import identity, spec_of

MEMBERS = [(kind, name) for kind, registry in registries().items() for name in registry]


def test_the_kinds():
    assert list(everything()) == ["protections", "countermeasures", "victims", "recipes", "datasets", "figures"]
    json.dumps(everything())


@pytest.mark.parametrize("kind", registries())
def test_identities_tell_all_members_apart(kind):
    registry = registries()[kind]
    free = [
        name
        for name in registry
        if all(parameter.default is not None for parameter in registry.parameters(name).values())
    ]
    assert len({identity(registry.make(name)) for name in free}) == len(free)


@pytest.mark.parametrize("kind, name", MEMBERS)
def test_documented_frozen_and_made_from_text(kind, name):
    registry = registries()[kind]
    needed = [f"{key}=x" for key, parameter in registry.parameters(name).items() if parameter.default is None]
    instance = registry.make(":".join([name, ",".join(needed)]) if needed else name)
    assert is_dataclass(instance)
    assert registry.make(spec_of(name, instance)) == instance
    documentation = type(instance).__doc__ or ""
    assert documentation and not documentation.startswith(type(instance).__name__ + "(")
    for parameter in registry.parameters(name):
        assert f"{parameter}:" in documentation, f"{name} does not document {parameter}"
