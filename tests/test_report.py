"""Tables, leaderboards, Markdown and CSV from records whose figures are known."""

import csv
import json
from dataclasses import replace

import pytest

from commands import run
from reporting import CONTROLS, DRAWING, PEAK, SWEEP, WORST, filled, plan_in
from unlearnable.bench.figure import figure_key
from unlearnable.bench.plan import Plan
from unlearnable.bench.planned_cell import TrainingSet
from unlearnable.bench.sets import SetRecord
from unlearnable.report.content import report_content
from unlearnable.report.csv_files import csv_files
from unlearnable.report.leaderboard import leaderboards
from unlearnable.report.markdown import caveats, report_markdown
from unlearnable.report.paper_comparison import Column, Comparison
from unlearnable.report.tables import tables


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return Plan.read(plan_in(tmp_path_factory.mktemp("plan")))


@pytest.fixture(scope="module")
def runs(plan, tmp_path_factory):
    return filled(plan, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def content(plan, runs):
    return report_content([plan], runs)


@pytest.fixture(scope="module")
def table(content):
    (table,) = content.tables
    return table


def named(table, row, column, budget=""):
    (found,) = [r for r in table.rows if (r.name, r.budget) == (row, budget)]
    (under,) = [c for c in table.columns if table.label(c) == column]
    return found, under


def test_rows_and_columns_are_those_of_the_plan_in_the_papers_order(table):
    assert [table.label(column) for column in table.columns] == [
        "vanilla",
        "gray",
        "jpeg:quality=10",
        "at:steps=1,step=10",
    ]
    assert [row.label for row in table.rows] == ["Clean", "LSP", "Deep Hiding (C)", "EM", "LSP, linf:8"]
    assert (table.measured, table.planned) == (8 + 4 + 6 + 2, 8 * 3 + 2 + 1)


def test_a_field_is_the_mean_over_seeds_beside_the_paper(table):
    field = table.fields[named(table, "Deep Hiding (C)", "vanilla")]
    assert field.final.mean == pytest.approx(0.13) and field.peak.mean == pytest.approx(0.13 + PEAK)
    assert field.final.deviation == pytest.approx(0.02 / 2**0.5)
    assert (field.paper, field.difference) == (0.10, pytest.approx(0.03))


def test_what_was_not_measured_is_missing_and_no_zero(table):
    field = table.fields[named(table, "Deep Hiding (C)", "at:steps=1,step=10")]
    assert (field.final, field.peak, field.difference, field.paper) == (None, None, None, 0.10)
    assert named(table, "EM", "jpeg:quality=10") not in table.fields  # not even asked for
    assert table.summary(named(table, "LSP", "vanilla", "linf:8")[0]) is None
    one = table.fields[named(table, "LSP", "vanilla")]
    assert (len(one.results), len(one.entries), one.final.deviation) == (1, 2, None)


def test_a_budget_that_is_not_the_papers_has_no_figure_of_the_paper(table):
    assert table.fields[named(table, "LSP", "vanilla")].paper == 0.1907
    assert table.fields[named(table, "LSP", "vanilla", "linf:8")].paper is None


def test_below_clean_is_ours_and_the_papers(table):
    ours, paper = table.below_clean(*named(table, "Deep Hiding (C)", "gray"))
    assert (ours, paper) == (pytest.approx(0.71 - 0.15), pytest.approx(0.9280 - 0.10))
    assert table.below_clean(*named(table, "Clean", "gray")) == (None, None)
    ours, paper = table.below_clean(*named(table, "Deep Hiding (C)", "at:steps=1,step=10"))
    assert ours is None and paper == pytest.approx(0.8419 - 0.10)


def test_a_summary_is_over_what_was_measured_and_the_papers_over_the_same(table):
    row, _ = named(table, "Deep Hiding (C)", "vanilla")
    summary = table.summary(row)
    assert len(summary.columns) == 3
    assert summary.final == pytest.approx((0.13 + 0.15 + 0.31) / 3)
    assert (summary.worst_final, summary.worst_peak) == (pytest.approx(0.31), pytest.approx(0.31 + PEAK))
    assert summary.worst.countermeasure == "jpeg:quality=10"
    assert summary.paper == pytest.approx((0.10 + 0.10 + 0.7297) / 3)


def test_leaderboards_compare_means_over_the_same_columns_alone(table):
    found = leaderboards(table)
    places = [[row.name for row, _ in board.ranked] for board in found]
    assert [len(board.columns) for board in found] == [4, 2, 1]
    assert places == [["LSP"], ["Deep Hiding (C)", "EM", "LSP"], ["EM", "Deep Hiding (C)", "LSP"]]
    for board in found:
        assert all(summary.columns == board.columns for _, summary in (*board.ranked, *board.unprotected))
        assert [row.name for row, _ in board.unprotected] == ["Clean"]
    assert {row.label: count for row, count in found[0].incomplete.items()} == {"Deep Hiding (C)": 3}
    assert {row.label: count for row, count in found[2].incomplete.items()} == {"LSP, linf:8": 0}


def test_controls_are_shown_and_counted_nowhere(tmp_path):
    with_controls = Plan.read(plan_in(tmp_path, CONTROLS, "controls"))
    content = report_content([with_controls], filled(with_controls, tmp_path / "runs"))
    (table,) = content.tables
    assert [table.label(column) for column in table.columns] == ["vanilla", "gray", "gaussf:sigma=0.2", "only_clean"]
    assert [table.label(column) for column in table.counted] == ["vanilla", "gray"]
    row, column = named(table, "Deep Hiding (C)", "gaussf:sigma=0.2")
    assert table.fields[row, column].final.mean == 0.92
    summary = table.summary(row)
    assert (summary.columns, summary.final) == (table.counted, pytest.approx((0.12 + 0.14) / 2))
    assert (summary.worst_final, summary.worst.countermeasure) == (0.14, "gray")
    (leaderboard,) = leaderboards(table)
    assert leaderboard.columns == table.counted
    assert [row.name for row, _ in leaderboard.ranked] == ["Deep Hiding (C)", "LSP"]

    assert "in no mean, worst case or rank: gaussf:sigma=0.2; only_clean." in " ".join(caveats(table))
    assert "| Deep Hiding (C) | final | 12.0 | 14.0 | 92.0 | 90.0 | 13.0 (over 2 of 2) | 14.0 |" in report_markdown(
        content
    )
    files = {name: list(csv.DictReader(text.splitlines())) for name, text in csv_files(content).items()}
    controls = {line["countermeasure"] for line in files["accuracies.csv"] if line["control"] == "yes"}
    assert controls == {"gaussf:sigma=0.2", "only_clean"}
    assert {line["over"] for line in files["leaderboards.csv"]} == {"vanilla; gray"}


def test_a_plan_of_controls_alone_has_no_mean_and_no_leaderboard(tmp_path):
    alone = Plan.read(plan_in(tmp_path, CONTROLS.replace("vanilla, gray, ", ""), "alone"))
    content = report_content([alone], filled(alone, tmp_path / "runs"))
    (table,) = content.tables
    assert table.measured == 6 and not leaderboards(table) and not any(map(table.summary, table.rows))
    assert "| LSP | final | 90.0 | 90.0 | – | – |" in report_markdown(content)


def test_clean_pictures_have_no_share_and_stand_beside_all(tmp_path):
    text = SWEEP.replace("protections: ", "grids:\n  - protections: {Clean: clean}\n  - protections: ")
    text = text.replace("Clean: clean, LSP", "LSP") + "    shares: [0.5, 1.0]\n"
    shares = Plan.read(plan_in(tmp_path, text))
    (table,) = report_content([shares], filled(shares, tmp_path / "runs")).tables
    (board,) = leaderboards(table)
    clean = next(row for row in table.rows if row.unprotected)
    assert {column.share for column in table.columns_of(clean)} == {0.0}
    assert {column.share for column in board.columns} == {0.5, 1.0}
    ((row, summary),) = board.unprotected
    assert row == clean and summary.final == pytest.approx((0.60 + 0.65 + 0.75) / 3)
    lsp = next(row for row in table.rows if row.name == "LSP")
    column = next(column for column in board.columns if column.countermeasure == "jpeg:quality=90")
    assert table.below_clean(lsp, column) == (pytest.approx(0.75 - 0.22), None)


def test_what_departs_from_the_paper_is_stated(table):
    text = " ".join(caveats(table))
    for word in (
        "7 of 27 trainings are not done",
        "recipe quick, 10 epochs, in the paper 60",
        "victim resnet9, in the paper resnet18",
        "10,000 training pictures, in the paper 50,000",
        "countermeasure at:steps=1,step=10, in the paper at",
        "measured in different columns",
        "; EM optimised by other settings than their authors'",
    ):
        assert word in text
    assert "test pictures" not in text and "px" not in text  # as many and as large as in the paper


def test_other_settings_than_the_authors_are_stated():
    def departures(data, train=None, **protections):
        return Comparison("table1").departures(data, protections, [], train, None)

    em = "em:per=class,train_steps=20"
    assert departures("CIFAR-100", EM=em, REM="rem:budget=linf:4", LSP="lsp:patch=4") == []
    assert departures("CIFAR-10", TAP="tap", EM=em, REM="rem:iterations=9", Ours="em:rounds=1") == [
        "EM, REM optimised by other settings than their authors'"
    ]
    small = SetRecord(TrainingSet("toy"), "", "", "", 1, 96, 100, None, 0, "", {})
    assert departures("ImageNet subset", small) == ["pictures of 96 px, in the paper 224"]


@pytest.mark.parametrize("name", ["table1_cifar10", "table1_cifar100", "table1_imagenet", "table2", "table3"])
def test_our_plans_of_the_papers_protocol_take_the_authors_settings(name):
    for table in tables(Plan.read(f"plans/{name}.yaml"), lambda entry: None, lambda what: None):
        assert not any("settings" in departure for departure in table.departures())


def test_the_papers_protocol_is_recognised():
    comparison = Comparison("table1")
    column = Column("at:steps=10", "resnet18", 1.0, "paper:epochs=60")
    assert comparison.departures("CIFAR-10", {"EM": "em:per=class", "Clean": "clean"}, [column], None, None) == []
    assert comparison.column(column) == "at"
    assert comparison.column(replace(column, countermeasure="at:radius=4")) == ""
    assert comparison.column(replace(column, countermeasure="jpeg:quality=20")) == ""
    assert comparison.column(replace(column, share=0.5)) == ""
    victims = {"vit": "vit", "resnet18:multiplier=1": "resnet18", "vgg19:multiplier=0.25": "vgg19"}
    for victim, of in (victims | {"vit:patch=8": "vit", "vit:pretrained=x": "", "resnet9": ""}).items():
        assert Comparison("table2").column(Column("vanilla", victim, 1.0, "paper")) == of
    assert Comparison("table3").column(Column("vanilla", "resnet18", 0.8, "paper")) == "0.8"
    assert Comparison("table3").column(Column("gray", "resnet18", 0.8, "paper")) == ""
    assert Comparison("table1").misprints("CIFAR-10", ["TAP", "LSP", "CUDA"]) == [
        "the paper prints 56.39 as the mean of TAP; its row gives 54.05"
    ]


@pytest.mark.parametrize(
    "name, labels",
    [
        (
            "table2_quick",
            [f"{name}:multiplier=0.25, quick" for name in ("resnet18", "resnet50", "vgg19", "densenet121")]
            + ["vit:multiplier=0.25,patch=8, transformer:epochs=40,batch_size=64"],
        ),
        (
            "table3_quick",
            [f"{share} protected" for share in ("0%", "20%", "40%", "60%", "80%", "90%", "95%", "99%", "100%")],
        ),
    ],
)
def test_columns_are_what_varies(name, labels):
    read = Plan.read(f"plans/{name}.yaml")
    (table,) = tables(read, lambda entry: None, lambda what: None)
    assert [table.label(column) for column in table.columns] == labels
    assert table.measured == 0 and table.chance is None
    assert any(field.paper for field in table.fields.values())


def test_budgets_make_rows():
    (table,) = tables(Plan.read("plans/budgets_quick.yaml"), lambda entry: None, lambda what: None)
    labels = [row.label for row in table.rows]
    assert {"LSP, rms:8", "LSP, linf:8"} < set(labels) and labels.count("Clean") == 1
    assert not table.departures()


def test_markdown_shows_every_figure(content):
    text = report_markdown(content)
    assert "Made up \\<b>figures" in text
    lines = [[part.strip() for part in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    final = next(line for line in lines if line[:2] == ["Deep Hiding (C)", "final"])
    assert final[2:] == ["13.0 ± 1.4", "15.0 ± 1.4", "31.0 ± 1.4", "–", "19.7 (over 3 of 4)", "31.0"]
    lsp = next(line for line in lines if line[:2] == ["LSP", "final"])
    assert lsp[2] == "20.0 (1 of 2 seeds)"
    below = [line for line in lines if line[:2] == ["", "below clean"]]
    assert below[1][2:6] == ["+68.0", "+56.0", "+30.0", "–"]
    assert "| 1 | Deep Hiding (C) | 20.0 ± 1.4 (26.3 % of clean), gray | 20.2 | 14.0 | 19.0 | 10.0 |  |" in text
    assert "| PSNR | SSIM | SSIMULACRA2 | its p10 | lowest | FLIP | made in |" in text
    figures = "| CIFAR-10 | {} | 100% | rms:8 | 3 | 5.25 | 7.50 | 21 | 1024 | 33.25 | 0.9625 | {} | 75 s |"
    assert figures.format("LSP", "60.5 | 50.5 | 40.5 | 0.125") in text and figures.format("EM", "– | – | – | –") in text


def test_who_is_seen_less_comes_first_where_the_worst_case_is_the_same(tmp_path):
    plan = Plan.read(plan_in(tmp_path, WORST, "worst"))
    content = report_content([plan], filled(plan, tmp_path / "runs"))
    (board,) = content.leaderboards()
    assert [row.name for row, _ in board.ranked] == ["Deep Hiding (C)", "LSP", "Even"]
    assert board.advantages == ("none", "clean")
    worst = {row.name: summary.worst_cases for row, summary in board.ranked}
    assert worst["LSP"]["none"].countermeasure == "jpeg:quality=50"
    assert worst["LSP"]["none"].peak.mean == pytest.approx(0.33 + PEAK)
    assert worst["LSP"]["none"].share == pytest.approx((0.33 + PEAK) / (0.65 + PEAK))
    assert worst["LSP"]["clean"].share == pytest.approx((0.60 + PEAK) / (0.80 + PEAK))
    assert [(point.row.name, point.seen) for point in board.frontier] == [
        ("Deep Hiding (C)", 20.25),
        ("LSP", 60.5),
        ("Even", 50.5),
    ]
    text = report_markdown(content)
    assert "| worst peak with the published pictures alone | worst peak with clean pictures of his own | SSIM" in text
    assert (
        "| 2 | LSP | 38.0 (54.3 % of clean), jpeg:quality=50 | 65.0 (76.5 % of clean), mix | 60.5 | 25.0 |" not in text
    )
    assert "](<frontier_worst_cifar_10_4.svg>)" in text
    run("report", plan.file, "--runs", tmp_path / "runs", "--out", tmp_path / "out")
    assert b"Even" in (tmp_path / "out" / "frontier_worst_cifar_10_4.svg").read_bytes()
    (line,) = [
        line for line in csv.DictReader(csv_files(content)["leaderboards.csv"].splitlines()) if line["rank"] == "2"
    ]
    assert (line["worst_clean"], line["worst_clean_in"], line["worst_pairs"], line["ssimulacra2"]) == (
        "65.000",
        "mix",
        "",
        "60.500",
    )


def test_there_is_no_frontier_where_nobody_measured_what_people_see(tmp_path):
    plan = Plan.read(plan_in(tmp_path, WORST, "worst"))
    runs = filled(plan, tmp_path / "runs")
    for made in runs.sets.all():
        if made.measured:
            runs.sets.save(replace(made, measured=replace(made.measured, visibility=None)))
    content = report_content([plan], runs)
    (board,) = content.leaderboards()
    assert not board.frontier and not board.seen
    assert "SSIMULACRA2" not in report_markdown(content) and "(<frontier_" not in report_markdown(content)


def test_csv_files_leave_empty_what_is_missing(content, table):
    files = {name: list(csv.DictReader(text.splitlines())) for name, text in csv_files(content).items()}
    lines = files["accuracies.csv"]
    assert len(lines) == len(table.fields)
    (missing,) = [
        line for line in lines if line["row"] == "Deep Hiding (C)" and line["countermeasure"].startswith("at")
    ]
    assert (missing["final"], missing["difference"], missing["paper"], missing["seeds"]) == ("", "", "10.000", "0")
    (there,) = [line for line in lines if line["row"] == "Clean" and line["countermeasure"] == "gray"]
    assert (there["final"], there["peak"], there["difference"]) == ("71.000", "76.000", "-21.800")
    assert set(there["cells"].split()) & content.trained_cells.keys() == set(there["cells"].split()) != set()
    assert [line["rank"] for line in files["leaderboards.csv"] if line["board"] == "2"] == ["1", "2", "3", ""]
    assert {line["row"] for line in files["sets.csv"]} == {"LSP", "Deep Hiding (C)", "EM", "LSP, linf:8"}


def test_every_figure_has_its_record(plan, content, table):
    for field in table.fields.values():
        for result in field.results:
            trained = content.trained_cells[result.key]
            assert trained.training_set.fingerprint == result.cell.train
            assert trained.command == f"unlearnable bench {plan.file}"
    assert len(content.trained_cells) == table.measured


def test_the_command(tmp_path, runs, plan):
    file = plan_in(tmp_path)
    output = run("report", file, "--runs", runs.folder, "--out", tmp_path / "out").output
    assert "20 of 27 trainings shown" in output
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert {"report.md", "accuracies.csv", "leaderboards.csv", "sets.csv"} <= set(written)

    runs.pack(tmp_path / "pack.jsonl", plan.cells)
    run("report", file, "--pack", tmp_path / "pack.jsonl", "--out", tmp_path / "packed")
    for name, text in written.items():
        assert (tmp_path / "packed" / name).read_text() == text

    assert "no " in run("report", file, "--runs", tmp_path / "none", code=2).output
    wrong = plan_in(tmp_path, "paper: table9\n" + file.read_text().replace("paper: table1\n", ""), "wrong")
    assert "table9" in run("report", wrong, "--runs", runs.folder, "--out", tmp_path / "out", code=2).output


def test_figures_come_with_title_and_command(plan, tmp_path):
    runs, drawing = filled(plan, tmp_path), Plan.read(plan_in(tmp_path, DRAWING, "maps"))
    runs.figure("maps").parent.mkdir()
    runs.figure("maps").write_bytes(b"a picture")
    notes = runs.figure("maps").with_suffix(".json")
    for broken in (None, "", '{"title": ', '{"title": "Maps"}', "[]", "7"):
        if broken is not None:
            notes.write_text(broken)
        with pytest.warns(UserWarning, match=r"maps\.png counts as not drawn: .*json does not say what it shows"):
            assert not report_content([drawing], runs).illustrations
    assert {aside.read_text() for aside in runs.corrupt()} == {"", '{"title": ', '{"title": "Maps"}', "[]", "7"}
    rows = [{"protection": "LSP", "rms": 5.9}, {"protection": "AR", "hidden": 3}]
    stored = {"title": "Maps", "command": "unlearnable bench m", "key": figure_key(drawing, runs.cell)}
    notes.write_text(json.dumps(stored | {"numbers": rows, "key": "of other sets"}))
    assert not report_content([drawing], runs).illustrations
    notes.write_text(json.dumps(stored | {"numbers": rows}))
    assert not report_content([plan], runs).illustrations  # it is another plan's
    (figure,) = report_content([plan, drawing], runs).illustrations
    assert (figure.name, figure.title, figure.command, figure.png) == (
        "maps",
        "Maps",
        "unlearnable bench m",
        b"a picture",
    )
    text = report_markdown(report_content([drawing], runs))
    assert "## Maps\n\n`unlearnable bench m`\n\n![Maps](<maps.png>)\n\n| protection | rms | hidden |\n" in text
    assert "| LSP | 5.9 | – |" in text and "| AR | – | 3 |" in text

    out = tmp_path / "out"
    run("report", drawing.file, "--runs", runs.folder, "--out", out)
    assert (out / "maps.png").read_bytes() == b"a picture"
    notes.unlink()
    runs.figure("maps").unlink()
    told = run("report", drawing.file, "--runs", runs.folder, "--out", out).output
    assert f"{drawing.file} has no figure of this: `{drawing.command}`" in " ".join(told.split())
