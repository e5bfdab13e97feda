from dataclasses import replace
from pathlib import Path

import pytest

from plans import read
from unlearnable.bench.plan import Plan, shard
from unlearnable.bench.planned_cell import TrainingSet

PLANS = [file for file in sorted((Path(__file__).parents[1] / "plans").glob("*.yaml")) if "hider" not in file.name]

SOME = """
title: toys
paper: table1
data:
  toy: {train: "toy:count=60", test: "toy:count=40,seed=1"}
victims: ["resnet9:width=4"]
recipe: "quick:epochs=1"
countermeasures: [vanilla, "jpeg:quality=50"]
seeds: 2
grids:
  - protections: {Clean: clean, LSP: lsp}
  - protections: {LSP: lsp, Left: remainder}
    shares: [0.5]
    countermeasures: [at]
"""


def test_a_plan_is_the_product_of_its_grids(tmp_path):
    plan = read(tmp_path, SOME)
    assert (plan.name, plan.title, plan.paper) == ("toy", "toys", "table1")
    assert len(plan.cells) == 2 * 2 * 2 + 2 * 2
    last = plan.cells[-1]
    assert (last.row, last.training, last.seed) == ("Left", TrainingSet("toy:count=60", "remainder", 0, 0.5), 1)
    assert last.countermeasure == "at:steps=1,step=10"  # what the quick recipe takes
    assert plan.cells[0].training == plan.cells[0].clean == TrainingSet("toy:count=60")


def test_a_budget_is_put_on_every_protection_but_clean_pictures_have_none(tmp_path):
    plan = read(
        tmp_path,
        SOME.replace("grids:", 'budgets: ["", "rms:4"]\ngrids:').replace("LSP: lsp, Left", "LSP: lsp:patch=4, Left"),
    )
    specs = {(entry.training.protection, entry.budget) for entry in plan.cells}
    assert specs == {
        ("clean", ""),
        ("remainder", ""),
        ("lsp", ""),
        ("lsp:patch=4", ""),
        ("lsp:budget=rms:4", "rms:4"),
        ("lsp:patch=4,budget=rms:4", "rms:4"),
    }


def test_cells_named_twice_are_one(tmp_path):
    twice = SOME.replace("grids:", "grids:\n  - protections: {Clean: clean}")
    assert set(read(tmp_path, twice).cells) == set(read(tmp_path, SOME).cells)
    assert len(read(tmp_path, twice).cells) == 12


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds: 2", "seeds: 0", "expected seeds as a whole number of at least 1, got 0"),
        ("seeds: 2", "sedes: 2", "unknown name: sedes; known: .*seeds"),
        ("LSP: lsp}", "LSP: lps}", "unknown among the protections: 'lps'"),
        ("shares: [0.5]", "shares: [1.5]", "up to 1, got 1.5"),
        ('"resnet9:width=4"', "resnet9:wdith=4", "wdith"),
        ("vanilla,", "vanila,", "unknown among the countermeasures"),
        ('test: "toy:count=40,seed=1"', 'tset: "toy"', "expected train and test"),
        ("grids:", "budgets: [linf]\ngrids:", "linf"),
        ('recipe: "quick:epochs=1"', "recipe: fast", "unknown among the recipes"),
        ("paper: table1", "paper: tabel1", "one of the paper's tables, table1, .* got 'tabel1'"),
        ("LSP: lsp}", "LSP: }", "expected a text for protections.LSP, got None"),
        ("LSP: lsp}", "LSP: 5}", "expected a text for protections.LSP, got 5"),
        ("seeds: 2", "seeds: two", "expected a whole number for seeds, got 'two'"),
        ('recipe: "quick:epochs=1"', "recipe: 5", "expected a text for recipe, got 5"),
        ('[vanilla, "jpeg:quality=50"]', "vanilla", "expected a list for countermeasures, got 'vanilla'"),
        (
            '{train: "toy:count=60", test: "toy:count=40,seed=1"}',
            "toy",
            "expected names and values for data.toy, got 'toy'",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_the_files_name(tmp_path, old, new, said):
    with pytest.raises(ValueError, match=said) as error:
        read(tmp_path, SOME.replace(old, new, 1))
    assert "toy.yaml is not a plan" in str(error.value)


@pytest.mark.parametrize("text", ["- 1", "a: [", "7", "grids: 3", "grids: [3]", "title: nothing"])
def test_what_is_no_plan_at_all(tmp_path, text):
    with pytest.raises(ValueError, match="is not a plan"):
        read(tmp_path, text)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 12, 20])
def test_shards_are_neighbours_and_all_together_the_plan(tmp_path, parts):
    entries = read(tmp_path, SOME).cells
    shards = [shard(entries, f"{number}/{parts}") for number in range(1, parts + 1)]
    assert sum(shards, ()) == entries


def test_what_goes_on_before_the_first_epoch_is_work_too(tmp_path):
    plan = read(tmp_path, SOME.replace("[vanilla", "[simclr, vanilla")).cells
    assert shard(plan, "1/4") == plan[:1]


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "-1/2", "1/0", ""])
def test_a_part_that_is_none(part):
    with pytest.raises(ValueError, match="such as 1/3"):
        shard((), part)


def test_a_figure_has_no_parts(tmp_path):
    plan = read(tmp_path, "figure: gradcam\n" + SOME.replace(", Left: remainder", ""))
    assert plan.part("1/1") == plan
    with pytest.raises(ValueError, match=r"toy\.yaml, whose figure needs all its panels, got part 1/2"):
        plan.part("1/2")
    assert () in [read(tmp_path, SOME).part(f"{number}/20").cells for number in range(1, 21)]


def test_a_share_is_the_same_however_it_is_written(tmp_path):
    whole, split = (read(tmp_path, SOME.replace("[0.5]", f"[{shares}]")) for shares in ("0.5, 1", "0.5, 1.0"))
    assert [entry.training.key for entry in whole.cells] == [entry.training.key for entry in split.cells]


def test_the_key_of_a_set_does_not_depend_on_spelling():
    own = TrainingSet("toy", "lsp")
    others = [replace(own, data="toy:count=3"), replace(own, protection="ar"), replace(own, seed=1)]
    others += [replace(own, share=0.5), replace(own, protection="clean"), replace(own, protection="remainder")]
    assert len({own.key, *(other.key for other in others)}) == 7
    assert TrainingSet("toy", "deep_hiding").key == TrainingSet("toy", "deep_hiding:per=class,deal=contrary").key


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_every_plan_of_ours_can_be_read(file):
    plan = Plan.read(file)
    assert plan.title and plan.cells
    assert any(entry.training.protection == "clean" for entry in plan.cells) or plan.figure == "maps"


def test_plans_of_the_same_table_and_data_make_the_same_sets():
    table1, table2 = (Plan.read(file) for file in PLANS if file.stem in ("table1_cifar100", "table2"))
    of_rows = {(entry.table, entry.row): entry.training for entry in table1.cells}
    shared = [entry for entry in table2.cells if (entry.table, entry.row) in of_rows]
    assert {entry.row for entry in shared} == {entry.row for entry in table2.cells}
    assert all(entry.training == of_rows[entry.table, entry.row] for entry in shared)


def test_every_plan_has_a_quick_variant():
    names = {file.stem for file in PLANS}
    whole = {"table1" if name == "table1_cifar10" else name for name in names}
    assert {f"{name}_quick" for name in whole if "quick" not in name and "few" not in name} <= names


def test_a_plan_of_few_cells_is_a_part_of_the_whole_one():
    few, whole = (Plan.read(Path("plans") / f"table1_cifar10{part}.yaml").cells for part in ("_few", ""))
    assert set(few) < set(whole)
