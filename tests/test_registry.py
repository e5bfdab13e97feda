import operator
from dataclasses import FrozenInstanceError, replace
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MultipleOf
from hypothesis import given
from hypothesis import strategies as st

from unlearnable.options import OddInt
from unlearnable.registry import Parameter, Registry, check_fields, spec_of


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

        def __post_init__(self):
            if self.edges and self.passes > 3:
                raise ValueError("expected at most 3 passes over edges")

    @registry.register("named")
    class Named:
        """One parameter that must be given."""

        path: str

    @registry.register("bounded")
    class Bounded(Blur):
        """Some of it, and what declares bounds."""

        passes: Annotated[int, Interval(ge=1, le=9)] = 2
        share: Annotated[float, Interval(gt=0, le=1)] = 0.5
        kernel: OddInt = 3
        order: Literal["rows", "columns"] = "rows"

    return registry


def test_text_and_back(registry):
    for text in ("blur", "blur:radius=2.5", "blur:radius=2.5,passes=3,edges=True,mode=median"):
        assert spec_of("blur", registry.make(text)) == text
    assert registry.make("named:path=/a=b").path == "/a=b"
    assert registry.make("named:path=/a,b").path == "/a,b"
    assert registry.make("blur:mode=named:path=/a,path=/b,passes=3").mode == "named:path=/a,path=/b"
    assert list(registry) == ["blur", "bounded", "named"]
    assert registry.parameters("named") == {"path": Parameter(str)}


def test_instances_are_frozen(registry):
    with pytest.raises(FrozenInstanceError):
        registry.make("blur").radius = 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("blurr", "unknown among the filters: 'blurr'; known: blur, bounded, named"),
        ("blur:mode=a,size=2", "radius, passes"),
        ("blur:passes=2,size=a:b", "radius, passes"),
        ("blur:size=2", "radius, passes, edges, mode"),
        ("blur:radius", "name=value"),
        ("blur:radius=wide", "expected blur:radius as a finite number, got 'wide'; take for example blur:radius=1.0"),
        ("blur:radius=inf", "expected blur:radius as a finite number, got inf"),
        ("blur:edges=maybe", "expected blur:edges as true or false, got 'maybe'; take for example blur:edges=false"),
        ("bounded:passes=0", "expected bounded:passes as a whole number from 1 to 9, got 0; take for example"),
        ("bounded:share=0", "expected bounded:share as a number above 0, at most 1, got 0.0"),
        ("bounded:kernel=4", "expected bounded:kernel as a whole number of at least 1, odd, got 4"),
        ("bounded:order=none", "expected bounded:order as rows or columns, got 'none'"),
        ("bounded:edges=true,passes=4", "at most 3 passes over edges"),
        ("bounded:edges=true,passes=44", "expected bounded:passes as"),
        ("named", "expected a value of path, which has no default: named:path=…"),
    ],
)
def test_wrong_text(registry, text, message):
    with pytest.raises(ValueError, match=message):
        registry.make(text)


def test_names_are_unique(registry):
    with pytest.raises(ValueError, match="two filters"):
        registry.register("blur")(type("Other", (), {}))


def test_a_bound_that_nobody_would_check_is_refused(registry):
    for annotation, problem in ((Annotated[int, MultipleOf(2)], "MultipleOf"), (list[int], "odd:size")):
        with pytest.raises(TypeError, match=f"expected .*{problem}"):
            registry.register("odd")(type("Odd", (), {"__annotations__": {"size": annotation}}))


def test_what_is_made_from_another_is_checked(registry):
    bounded = registry.make("bounded")
    assert replace(bounded, share=1).share == 1  # a whole number will do
    with pytest.raises(ValueError, match="bounded:kernel"):
        replace(bounded, kernel=2)
    check_fields(bounded)


@given(st.sampled_from([Ge, Gt, Le, Lt]), st.integers(-3, 3), st.floats() | st.integers())
def test_a_bound_means_what_python_means_by_it(bound, limit, number):
    parameter = Parameter.of(Annotated[float, bound(limit)], 0.0)
    compared = getattr(operator, bound.__name__.lower())(number, limit)
    assert parameter.accepts(number) == (compared and abs(number) < float("inf"))


@given(st.from_type(Annotated[int, Interval(gt=-4, lt=7)]), st.from_type(OddInt))
def test_what_a_type_allows_is_taken(number, side):
    assert Parameter.of(Annotated[int, Interval(gt=-4, lt=7)], 0).accepts(number)
    assert Parameter.of(OddInt, 1).accepts(side) and not Parameter.of(OddInt, 1).accepts(side + 1)
