from dataclasses import replace
from pathlib import Path

import pytest

from unlearnable.hider_training.config import HiderConfig


@pytest.mark.parametrize("plan", sorted((Path(__file__).parents[1] / "plans").glob("hider_*.yaml")))
def test_plans_are_configurations(plan):
    config = HiderConfig.read(plan, ["steps=3"])
    assert config.steps == 3
    assert config.learning_rate > 0
    if plan.stem == "hider_robust":
        assert HiderConfig.read(plan) == HiderConfig()
    elif plan.stem == "hider_second":
        assert HiderConfig.read(plan) == HiderConfig(planes=True, drawings=3, weakest=0.35, surviving=0.5)
    elif plan.stem == "hider_second_end":
        second = HiderConfig.read(plan.with_stem("hider_second"))
        shorter = {"steps": 900, "learning_rate": 5e-4, "warmup": 50, "seed": 1}
        assert HiderConfig.read(plan) == replace(second, **shorter, weakest=0.25, sizes=(32, 32, 64, 128, 224))
    elif plan.stem == "hider_third":
        second = HiderConfig.read(plan.with_stem("hider_second"))
        sizes = (32, 32, 32, 64, 96, 128, 224, 320)
        assert HiderConfig.read(plan) == replace(second, drawings=4, weakest=0.25, revealing=8.0, sizes=sizes)
    else:
        assert (config.blocks, config.growth, config.pixels // 224**2) == (16, 32, 24)


def test_a_plan_that_is_none(tmp_path):
    for text, problem in {
        "stepps: 3": r"plan\.yaml is not a configuration.*unknown name: stepps; known: blocks",
        "- steps": r"expected names and values, got \['steps'",
        "{": "expected YAML",
        "learning_rate: fast": "expected a number for learning_rate, got 'fast'",
        "steps: 2.5": "expected a whole number for steps, got 2.5",
        "mask: 1": "expected true or false for mask, got 1",
        "sizes: 64": "expected a list for sizes, got 64",
        "warmup: 0": "expected warmup as a whole number of at least 1, got 0",
        "distorted: 1.5": "expected distorted as a number from 0 to 1, got 1.5",
        "learning_rate: .nan": "expected learning_rate as a finite number above 0, got nan",
        "sizes: [33]": "expected even sizes",
        "drawings: 1": "expected drawings of version 2 or 3 or 4 or 5, got 1",
    }.items():
        (tmp_path / "plan.yaml").write_text(text)
        with pytest.raises(ValueError, match=problem):
            HiderConfig.read(tmp_path / "plan.yaml")
    with pytest.raises(ValueError, match="expected names and values for --set steps"):
        HiderConfig.read(None, ["steps"])


def test_what_yaml_takes_for_a_word():
    config = HiderConfig.read(None, ["learning_rate=1e-4", "eps=8", "sizes=[32]", "extractor=imagenet", "mask=false"])
    assert (config.learning_rate, config.eps, config.sizes) == (1e-4, 8.0, (32,))
    assert (config.extractor, config.mask) == ("imagenet", False)


def test_rate_warms_up_and_falls():
    config = HiderConfig(steps=1000, warmup=100, learning_rate=1e-3, final_rate=0.1)
    rates = [config.rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) < 1e-3
    assert rates[-1] == pytest.approx(1e-4, rel=0.01)
    constant = HiderConfig(steps=1000, warmup=1, final_rate=1.0)
    assert len({constant.rate(step) for step in range(1000)}) == 1
