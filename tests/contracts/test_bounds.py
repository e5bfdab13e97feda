"""What every numeric parameter of every registered name promises: it takes what it declares, and says what it is not.

What is declared is read as `unlearnable list --json` shows it, and tried on an instance.
"""

import math
import re
from dataclasses import replace

import jaxtyping
import pytest

from commands import run
from plans import TOY
from unlearnable.bench.columns import columns
from unlearnable.cli.names import everything, registries
from unlearnable.countermeasures import countermeasure_named
from unlearnable.training.recipes import recipe_named

NUMBERS = [
    (kind, name, parameter)
    for kind, names in everything().items()
    for name, parameters in names.items()
    for parameter, declared in parameters.items()
    if declared["type"] in ("integer", "number")
]
# What else must be as it is for a parameter to take its lowest value.
TOGETHER = {("tsne", "points"): {"perplexity": 1.0}, ("quick", "momentum"): {"nesterov": False}}


def of(kind, name):
    """An instance, and what its parameters take."""
    registry, declared = registries()[kind], everything()[kind][name]
    needed = [f"{parameter}=x" for parameter, takes in declared.items() if "default" not in takes]
    return registry.make(":".join([name, ",".join(needed)] if needed else [name])), declared


def outside(takes):
    """Values of the right type just beyond its bounds."""
    step = 1 if takes["type"] == "integer" else 1e-9
    if "minimum" in takes:
        yield takes["minimum"] - step
    if "maximum" in takes:
        yield takes["maximum"] + step
    yield from (takes[bound] for bound in ("exclusiveMinimum", "exclusiveMaximum") if bound in takes)


@pytest.mark.parametrize("kind, name, parameter", NUMBERS)
def test_a_number_has_declared_bounds(kind, name, parameter):
    assert everything()[kind][name][parameter].keys() & {"minimum", "exclusiveMinimum"}


@pytest.mark.parametrize("kind, name, parameter", NUMBERS)
def test_a_number_outside_is_refused(kind, name, parameter, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # outside of tests, nobody checks annotations
    instance, declared = of(kind, name)
    takes = declared[parameter]
    wrong = [math.nan, math.inf, -math.inf, True, str(takes["default"]), *outside(takes)]
    for value in wrong if takes["type"] == "number" else [*wrong, float(takes["default"])]:
        expected = f"expected {name}:{parameter} as {takes['description']}, got {value!r}; take for example {name}:"
        with pytest.raises(ValueError, match=re.escape(expected)):
            replace(instance, **{parameter: value})


@pytest.mark.parametrize("kind, name, parameter", NUMBERS)
def test_a_number_at_an_inclusive_bound_is_taken(kind, name, parameter):
    instance, declared = of(kind, name)
    for bound in ("minimum", "maximum"):
        if bound in (takes := declared[parameter]):
            value = takes[bound]
            made = replace(instance, **TOGETHER.get((name, parameter), {}) | {parameter: value})
            assert getattr(made, parameter) == value


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in everything().items() for name in names])
def test_a_choice_is_one_of_those_that_are_listed(kind, name):
    instance, declared = of(kind, name)
    for parameter, takes in declared.items():
        for choice in takes.get("enum", ()):
            assert getattr(replace(instance, **{parameter: choice}), parameter) == choice
        if "enum" in takes:
            expected = f"expected {name}:{parameter} as {takes['description']}, got 'neither'"
            with pytest.raises(ValueError, match=re.escape(expected)):
                registries()[kind].make(f"{name}:{parameter}=neither")


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("randaugment:magnitude=31", "randaugment:magnitude as a whole number from 0 to 30, got 31"),
        ("mixup:alpha=0", "mixup:alpha as a finite number above 0, got 0"),
        ("cutmix:alpha=0", "cutmix:alpha as a finite number above 0, got 0"),
        ("cutout:length=-1", "cutout:length as a number from 0 to 1, got -1"),
        ("ueraser:probability=1.5", "ueraser:probability as a number from 0 to 1, got 1.5"),
        ("at:radius=nan", "at:radius as a number from 0 to 255, got nan"),
        ("gray+at:step=inf", "at:step as a number from 0 to 255, got inf"),
        ("mean:kernel=2", "mean:kernel as a whole number of at least 1, odd, got 2"),
        ("gaussn:sigma=-1", "gaussn:sigma as a finite number of at least 0, got -1"),
        ("mix:per_class=0", "mix:per_class as a whole number of at least 1, got 0"),
        ("orthogonal:learning_rate=0", "orthogonal:learning_rate as a finite number above 0, got 0"),
        ("pretrained:weights=x,slowdown=0", "pretrained:slowdown as a finite number of at least 1, got 0"),
        ("jpeg:quality=high", "jpeg:quality as a whole number from 1 to 100, got 'high'"),
        ("inverse:protection=silence", "unknown among the protections"),
    ],
)
def test_a_countermeasure_from_text(spec, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        columns(f"vanilla,{spec}", "quick")
    with pytest.raises(ValueError, match=re.escape(expected)):
        countermeasure_named(spec)


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("paper:learning_rate=-1", "paper:learning_rate as a finite number above 0, got -1.0"),
        ("quick:label_smoothing=1.5", "quick:label_smoothing as a number of at least 0, below 1, got 1.5"),
        ("transformer:momentum=1", "transformer:momentum as a number of at least 0, below 1, got 1.0"),
        ("quick:momentum=0", "expected a momentum above 0 with nesterov=true"),
        ("paper:weight_decay=nan", "paper:weight_decay as a finite number of at least 0, got nan"),
    ],
)
def test_a_recipe_from_text(spec, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        recipe_named(spec)


@pytest.mark.parametrize(
    "before, after, expected",
    [
        ('"jpeg:quality=50"', '"mixup:alpha=0"', "expected mixup:alpha as a finite number above 0, got 0.0"),
        (
            "quick:epochs=1",
            "quick:epochs=1,learning_rate=-1",
            "expected quick:learning_rate as a finite number above 0",
        ),
        ("resnet9:width=4", "resnet9:width=0", "expected resnet9:width as a whole number of at least 1, got 0"),
        ("toy:count=64", "toy:count=0", "expected toy:count as a whole number of at least 1, got 0"),
        ("noise]", '"lsp:patch=0"]', "expected lsp:patch as a whole number of at least 1, got 0"),
        ("noise]", '"noise:budget=l0:inf"]', "expected a budget such as rms:8"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_plan_with_a_number_outside_is_refused_before_its_first_cell(tmp_path, before, after, expected, options):
    plan = tmp_path / "plan.yaml"
    plan.write_text((TOY + "protections: [clean, noise]\n").replace(before, after))
    output = run("bench", plan, "--out", tmp_path / "runs", *options, code=2).output
    assert f"{plan} is not a plan: {expected}" in output
    assert not (tmp_path / "runs").exists()


def test_an_audit_with_a_number_outside_is_refused_before_it_reads_a_picture(tmp_path):
    words = ("audit", tmp_path, "--clean-train", tmp_path, "--clean-test", tmp_path, "--out", tmp_path / "out")
    output = run(*words, "--countermeasures", "vanilla,randaugment:magnitude=31", code=2).output
    assert "expected randaugment:magnitude as a whole number from 0 to 30, got 31" in output
