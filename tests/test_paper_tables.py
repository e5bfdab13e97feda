"""The paper's own figures, as the package holds them."""

from pathlib import Path
from statistics import fmean

import pytest

from unlearnable.bench.columns import TABLE1
from unlearnable.bench.paper import TABLES, paper_table
from unlearnable.bench.plan import Plan
from unlearnable.victims.architectures import victim_named

NOT_THE_MEAN = {  # table, data and row: what is printed, and what the row gives
    ("table1", "CIFAR-10", "TAP"): (56.39, 54.05),
    ("table1", "CIFAR-100", "Clean"): (62.44, 63.47),
    ("table4", "CIFAR-10", "S, concentrated"): (88.38, 88.31),
}


@pytest.mark.parametrize("name", ["table1", "table4"])
def test_means_are_those_of_their_rows_but_for_the_known_ones(name):
    table, odd = paper_table(name), {}
    assert table.columns == TABLE1
    for (data, row), printed in table.means.items():
        mean = fmean(table.accuracies[data, row, column] for column in TABLE1)
        if abs(mean - printed) > 0.000051:
            odd[name, data, row] = (round(100 * printed, 2), round(100 * mean, 2))
    assert odd == {key: values for key, values in NOT_THE_MEAN.items() if key[0] == name}


def test_all_rows_and_columns_are_there():
    counts = {name: len(paper_table(name).accuracies) for name in TABLES}
    assert counts == {"table1": 27 * 13, "table2": 18 * 5, "table3": 9 * 4, "table4": 11 * 13}
    assert paper_table("table1").data == ("CIFAR-10", "CIFAR-100", "ImageNet subset")
    assert all(0.009 < accuracy < 0.951 for name in TABLES for accuracy in paper_table(name).accuracies.values())
    for victim in paper_table("table2").columns:
        victim_named(victim)


def test_figures_that_the_papers_text_names():
    first = paper_table("table1")
    for data, accuracy in {"CIFAR-10": 0.10, "CIFAR-100": 0.0147, "ImageNet subset": 0.0102}.items():
        assert first.accuracy(data, "Deep Hiding (C)", "vanilla") == accuracy
    assert first.accuracy("ImageNet subset", "OPS", "vanilla") is None
    for row in ("Deep Hiding (C)", "Deep Hiding (S)"):
        full = f"{row[-2]}, all"
        for column in TABLE1:
            ablated = paper_table("table4").accuracy("CIFAR-10", full, column)
            assert ablated == first.accuracy("CIFAR-10", row, column)
        assert paper_table("table2").accuracy("CIFAR-10", row, "resnet18") == first.accuracy("CIFAR-10", row, "vanilla")


def test_more_protected_pictures_give_less():
    table = paper_table("table3")
    for row in table.rows("CIFAR-10"):
        accuracies = [table.accuracy("CIFAR-10", row, share) for share in ("0.2", "0.4", "0.6", "0.8")]
        assert accuracies == sorted(accuracies, reverse=True)


@pytest.mark.parametrize("file", sorted(Path("plans").glob("table*.yaml")), ids=lambda file: file.stem)
def test_plans_call_rows_and_data_as_the_paper_does(file):
    plan = Plan.read(file)
    table = paper_table(plan.paper)
    for data in {entry.table for entry in plan.cells}:
        assert data in table.data
        if "quick" not in file.name and "few" not in file.name:
            assert {entry.row for entry in plan.cells if entry.table == data} >= set(table.rows(data))


def test_no_such_table():
    with pytest.raises(ValueError, match="table4, got 'table5'"):
        paper_table("table5")
