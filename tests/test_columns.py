import pytest

from unlearnable.bench.columns import BEYOND, TABLE1, columns


def test_the_papers_thirteen_columns():
    assert columns("table1", "paper") == TABLE1
    assert len(TABLE1) == 13


def test_the_quick_recipe_names_its_cheaper_attack():
    assert columns("table1", "quick")[-1] == "at:steps=1,step=10"
    assert columns("at", "quick:epochs=2") == ("at:steps=1,step=10",)
    assert columns("at:steps=3", "quick") == ("at:steps=3",)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("gray+at", "gray+at:steps=1,step=10"),
        ("at+early:part=0.5", "at:steps=1,step=10+early:part=0.5"),
        ("gray+at+jpeg:quality=10,test=true", "gray+at:steps=1,step=10+jpeg:quality=10,test=true"),
        ("gray+at:steps=7", "gray+at:steps=7"),
        ("at:radius=4+gray", "at:radius=4+gray"),
    ],
)
def test_the_cheaper_attack_holds_inside_chains(chain, expected):
    assert columns(f"vanilla,{chain}", "quick") == ("vanilla", expected)
    assert columns(chain, "paper") == (chain,)


def test_lists_keep_the_commas_of_parameters():
    listed = columns("vanilla, gray+jpeg:quality=10,at:steps=1,step=10,jpeg:quality=50,test=true", "paper")
    assert listed == ("vanilla", "gray+jpeg:quality=10", "at:steps=1,step=10", "jpeg:quality=50,test=true")


def test_groups_and_names_together_without_repetition():
    assert columns("table1,orthogonal,vanilla", "paper") == (*TABLE1, "orthogonal")
    assert columns("all", "paper") == (*TABLE1, *BEYOND)


def test_a_backbone_adds_its_two_columns():
    assert columns("vanilla", "quick", "w.safetensors")[1:] == (
        "pretrained:weights=w.safetensors",
        "pretrained:weights=w.safetensors,frozen=true",
    )


@pytest.mark.parametrize("text, message", [("blur", "unknown.*known: at, "), ("gray:x=1", "gray"), ("", "unknown")])
def test_unknown_names_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        columns(text, "quick")
