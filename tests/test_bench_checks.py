"""What is found before the first step of a plan, and what is made of it where it could not be."""

from dataclasses import replace

import pytest
import torch

from banks import small_bank
from commands import run as command
from plans import TOY, ran, read
from sets import labelled, noisy
from unlearnable.bench.checks import check
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import InProcess
from unlearnable.images.imageset import ImageSet
from unlearnable.protections import protection_named
from unlearnable.report.content import report_content
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights

CLEAN = "protections: {Clean: clean}\n"


@pytest.fixture
def backbone(tmp_path):
    file = tmp_path / "backbone.safetensors"
    save_weights(victim_named("resnet9:width=4").build(4, 16), file)
    return file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("protections: {A: 'ops:budget=l0:600'}", "ops:budget=l0:600 of toy:count=64: expected a colour of 600 pixels"),
        ("protections: {A: 'deep_hiding:weights=.'}", "deep_hiding:weights=. of toy.*: expected config.json in ."),
        ("protections: {A: 'deep_hiding:secrets=none'}", "none/bank.json, on which .* depends; no such file"),
        ("protections: {A: 'em:surrogate=vit:patch=5'}", "side is a multiple of 5 px"),
        ("protections: {A: 'em:surrogate=resnet9:pretrained=none'}", "expected none, on which .* depends; no such"),
        ("shares: [0.001]\nprotections: {A: lsp}", "a share of at least one of 64 pictures"),
        ("shares: [1]\nprotections: {A: remainder}", "a share that leaves some of 64 pictures"),
        (CLEAN + "countermeasures: ['pretrained:weights=none']", "resnet9:width=4 with pretrained.*expected none, on"),
        (CLEAN + "countermeasures: ['mix:per_class=17']", "expected at least 17 pictures of"),
        (CLEAN + "countermeasures: ['gray+only_clean:per_class=17']", "expected at least 17 pictures of"),
        (CLEAN + "countermeasures: ['inverse:per_class=17']", "expected at least 17 pictures of"),
        (CLEAN + "countermeasures: ['mean:kernel=99']", "larger than half a kernel of 99 px"),
        (CLEAN + "victims: ['resnet9:frozen=true']", "a frozen victim needs pretrained=FILE"),
        (CLEAN + "victims: ['vit:patch=5']", "vit:patch=5 with vanilla on toy:count=64: .* a multiple of 5 px"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    top = "\n".join(line for line in TOY.splitlines() if line.split(":")[0] not in text)
    plan = read(tmp_path, f"{top}\n{text}\n")
    with pytest.raises(ValueError, match=said):
        steps_of(plan, RunFolder(tmp_path / "runs"))


@pytest.mark.parametrize("order", ["at+{frozen}", "{frozen}+at"])
def test_no_frozen_victim_becomes_robust(tmp_path, backbone, order):
    frozen = f"pretrained:weights={backbone},frozen=true"
    text = TOY.replace("vanilla, ", f"'{frozen}', '{order.format(frozen=frozen)}', ")
    with pytest.raises(ValueError, match=r"with (at|pretrained).*: expected a victim that learns in all layers, got"):
        steps_of(read(tmp_path, text + CLEAN), RunFolder(tmp_path / "runs"))


def test_a_bank_serves_as_many_classes_as_it_has(tmp_path):
    small_bank(tmp_path, classes=3)
    plan = read(tmp_path, TOY + f"protections: {{A: 'deep_hiding:secrets={tmp_path / 'bank'}'}}\n")
    with pytest.raises(ValueError, match=r"at most 3 classes, as many as .* in .*bank, got 4"):
        steps_of(plan, RunFolder(tmp_path / "runs"))


def test_what_serves_fewer_classes_than_there_are():
    many = ImageSet(noisy(9, 1, 1), torch.arange(9), tuple("abcdefghi"))
    for name, said in {"lsp": "at most 8 classes", "ops": "enough for 8 classes"}.items():
        protection_named(name).check_serves(replace(many[:8], classes=many.classes[:8]), 0)
        with pytest.raises(ValueError, match=said):
            protection_named(name).check_serves(many, 0)


def test_the_test_set_has_the_classes_and_the_size_of_the_training_set(tmp_path):
    plan = read(tmp_path, TOY + CLEAN)
    train, test = labelled(noisy(8, 16, 16)), labelled(noisy(8, 16, 16, seed=1))
    check(plan, {"toy:count=64": train, "toy:count=40,seed=1": test})
    for other, said in (
        (test.relabelled(test.classes[::-1]), "in the order of the training set's"),
        (labelled(noisy(8, 16, 16), classes=3), "expected the same classes"),
        (labelled(noisy(8, 16, 20)), "expected test pictures of 16x16 px as in training, got 20x16"),
    ):
        with pytest.raises(ValueError, match=f"toy:count=64, tested on toy:count=40,seed=1: .*{said}"):
            check(plan, {"toy:count=64": train, "toy:count=40,seed=1": other})


def test_a_figure_is_of_one_set_whole(tmp_path):
    for text in ("protections: {A: remainder}\nshares: [0.5]", CLEAN.strip()):
        two = TOY.replace("  toy:", "  other: {train: toy, test: toy}\n  toy:") if "clean" in text else TOY
        with pytest.raises(ValueError, match="a figure of all pictures of one data set"):
            read(tmp_path, f"figure: maps\n{two}{text}\n")


def test_weights_that_are_gone_stop_a_run_at_once_and_no_report(tmp_path, backbone):
    text = TOY.replace("vanilla, ", f"'pretrained:weights={backbone}', ")
    plan = read(tmp_path, text + CLEAN)
    runs = ran(plan, tmp_path / "runs")
    backbone.unlink()
    with pytest.raises(ValueError, match=r"expected .*backbone\.safetensors, on which .* depends; no such file"):
        steps_of(plan, runs)
    (table,) = report_content([plan], runs).tables
    assert table.measured == table.planned == 2
    assert runs.pack(tmp_path / "packed.jsonl", plan.cells) == 2 + 2
    said = command("report", plan.file, "--pack", tmp_path / "packed.jsonl", "--out", tmp_path / "report").stderr
    assert "2 of 2 trainings shown" in said


def test_nobody_guesses_which_weights_were_meant(tmp_path, backbone):
    plan = read(tmp_path, TOY.replace("vanilla, ", f"'pretrained:weights={backbone}', ") + CLEAN)
    runs = ran(plan, tmp_path / "runs")
    (entry,) = [entry for entry in plan.cells if entry.countermeasure.startswith("pretrained")]
    result = runs.result(entry)
    runs.cells.save(replace(result, cell=replace(result.cell, weights="others")))
    assert runs.found(entry) == result
    backbone.unlink()
    assert runs.found(entry) is None


def test_what_goes_missing_during_a_run_fails_alone(tmp_path, backbone):
    plan = read(tmp_path, TOY.replace("vanilla, ", f"'pretrained:weights={backbone}', ") + CLEAN)
    runs = RunFolder(tmp_path / "runs")
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
    backbone.unlink()
    run.run()
    assert len(runs.cells.all()) == 1
    assert ["backbone.safetensors" in str(why) for why in run.failed.values()] == [True]
