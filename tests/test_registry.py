from dataclasses import FrozenInstanceError

import pytest

from unlearnable.registry import Registry, spec_of


@pytest.fixture
def registry():
    registry = Registry("filters")

    @registry.register("blur")
    class Blur:
        """A filter."""

        radius: float = 1.0
        passes: int = 2
        edges: bool = False
        mode: str = "mean"

    @registry.register("named")
    class Named:
        """One parameter that must be given."""

        path: str

    return registry


def test_text_and_back(registry):
    for text in ("blur", "blur:radius=2.5", "blur:radius=2.5,passes=3,edges=True,mode=median"):
        assert spec_of("blur", registry.make(text)) == text
    assert registry.make("named:path=/a=b").path == "/a=b"
    assert registry.make("named:path=/a,b").path == "/a,b"
    assert registry.make("blur:mode=named:path=/a,path=/b,passes=3").mode == "named:path=/a,path=/b"
    assert list(registry) == ["blur", "named"]
    assert registry.parameters("named") == {"path": None}


def test_instances_are_frozen(registry):
    with pytest.raises(FrozenInstanceError):
        registry.make("blur").radius = 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("blurr", "unknown among the filters: 'blurr'; known: blur, named"),
        ("blur:mode=a,size=2", "radius, passes"),
        ("blur:passes=2,size=a:b", "radius, passes"),
        ("blur:size=2", "radius, passes, edges, mode"),
        ("blur:radius", "name=value"),
        ("blur:radius=wide", "blur:radius"),
        ("blur:edges=maybe", "blur:edges"),
        ("named", "path"),
    ],
)
def test_wrong_text(registry, text, message):
    with pytest.raises(ValueError, match=message):
        registry.make(text)


def test_names_are_unique(registry):
    with pytest.raises(ValueError, match="two filters"):
        registry.register("blur")(type("Other", (), {}))
