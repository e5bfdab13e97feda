import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from commands import run as command
from plans import TOY, ended, ran, read
from resuming import KilledError, save_every_step
from unlearnable.bench import sets as bench_sets
from unlearnable.bench.cell import Result
from unlearnable.bench.estimate import Estimate
from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.planned_cell import TrainingSet
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.sets import SetRecord, make
from unlearnable.bench.steps import Purify, Train, train_cell
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import InProcess, local
from unlearnable.countermeasures import Knowledge, countermeasure_named
from unlearnable.datasets import load
from unlearnable.images.imageset import fingerprint
from unlearnable.storage.checkpoint import elapsed_seconds
from unlearnable.training import loop as training

PLAN = (
    TOY
    + """
seeds: 2
grids:
  - protections: {Clean: clean, Noise: noise}
  - protections: {Noise: noise, Left: remainder}
    shares: [0.25]
    countermeasures: [vanilla]
    seeds: 1
"""
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    return read(tmp_path_factory.mktemp("plan"), PLAN)


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory) -> RunFolder:
    return ran(plan, tmp_path_factory.mktemp("runs"))


def test_every_cell_of_the_plan_has_its_result(plan, done):
    results = [done.result(planned) for planned in plan.cells]
    assert all(results)
    assert len({result.key for result in results}) == len(plan.cells) == 10


def test_a_result_is_that_of_its_own_set(plan, done):
    clean = load("toy:count=64")
    for planned in plan.cells:
        made, result = done.sets.load(planned.training.key), done.result(planned)
        assert result.cell.train == made.fingerprint == fingerprint(done.stored_set(made.fingerprint).load())
        assert result.cell.clean == fingerprint(clean)
        assert (result.cell.train == result.cell.clean) == (planned.row == "Clean")


def test_a_share_is_protected_and_the_remainder_is_the_rest(done):
    clean = load("toy:count=64")
    share = done.sets.load(TrainingSet("toy:count=64", "noise", share=0.25).key)
    rest = done.sets.load(TrainingSet("toy:count=64", "remainder", share=0.25).key)
    mixed, left = done.stored_set(share.fingerprint).load(), done.stored_set(rest.fingerprint).load()
    changed = (mixed.images != clean.images).flatten(1).any(1)
    assert (changed.sum(), len(left)) == (16, 48)
    assert left.images.equal(clean.images[~changed])
    assert rest.measured is None
    whole = done.sets.load(TrainingSet("toy:count=64", "noise").key)
    assert mixed.images[changed].equal(done.stored_set(whole.fingerprint).load().images[changed])


def test_the_budget_is_measured_on_the_protected_pictures_alone(done):
    measured = done.sets.load(TrainingSet("toy:count=64", "noise", share=0.25).key).measured
    assert (measured.budget, measured.over_budget) == ("rms:8", 0)
    assert 7 < measured.rms <= measured.rms_max <= 8
    assert measured.linf_max > 8 and 0 < measured.ssim < 1 and 29 < measured.psnr < 32


def test_a_second_run_trains_nothing(plan, done, monkeypatch):
    monkeypatch.setattr(Scheduler, "_end", None)
    steps = steps_of(plan, done)
    Scheduler(steps, InProcess(), StepTimes.of(done)).run()
    assert Estimate.of(steps, StepTimes.of(done)) == Estimate(True, 0, 0, 0, 0, 0, 0)


def test_what_is_deleted_alone_is_done_again(plan, done, tmp_path):
    runs = copied(done, plan, tmp_path)
    (lost,) = [planned for planned in plan.cells if planned.row == "Left"]
    before = runs.result(lost)
    (runs.folder / "cells" / f"{before.key}.json").unlink()
    events = []
    Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), on_step=ended(events)).run()
    assert [event.step.name for event in events] == ["making remainder, 25%", lost.name]  # its pictures were not cached
    assert events[-1].done == events[-1].total == 10
    assert replace(runs.result(lost), seconds=0) == replace(before, seconds=0)


def test_processes_give_the_same_results(plan, tmp_path, monkeypatch):
    few, runs = replace(plan, cells=plan.cells[:4]), RunFolder(tmp_path / "runs")
    with local(2) as executor:
        run = Scheduler(steps_of(few, runs), executor, StepTimes.of(runs))
        run.run()
    assert not run.failed
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    here = ran(few, tmp_path / "here")
    torch.set_num_threads(before)
    assert [replace(runs.result(cell), seconds=0) for cell in few.cells] == [
        replace(here.result(cell), seconds=0) for cell in few.cells
    ]


def test_what_a_countermeasure_makes_is_kept_where_it_is_needed_twice(plan, tmp_path):
    steps = steps_of(plan, RunFolder(tmp_path))
    kinds = [(type(step), getattr(step, "countermeasure", None)) for step in steps]
    assert kinds.count((Purify, "jpeg:quality=50")) == 2 and sum(kind is Purify for kind, _ in kinds) == 2
    trains = [step for step in steps if isinstance(step, Train) and "jpeg:quality=50" in step.name]
    assert all(any(isinstance(need, Purify) for need in step.needs) for step in trains)


def test_training_on_what_was_kept_is_training_with_the_countermeasure(plan, done, tmp_path):
    planned = next(planned for planned in plan.cells if planned.countermeasure == "jpeg:quality=50")
    result = done.result(planned)
    train, test = load("toy:count=64"), load("toy:count=40,seed=1")
    again, weights = train_cell(result.cell, train, test, train, True, False, tmp_path, None)
    assert not weights
    assert replace(again, seconds=0) == replace(result, seconds=0)


def test_a_killed_training_goes_on_from_its_last_epoch(plan, done, tmp_path, monkeypatch):
    planned = next(planned for planned in plan.cells if planned.countermeasure == "jpeg:quality=50")
    cell = replace(done.result(planned).cell, recipe="quick:epochs=3,batch_size=16")
    train, test = load("toy:count=64"), load("toy:count=40,seed=1")
    purified = countermeasure_named("jpeg:quality=50").purify(train, Knowledge())
    save_every_step(monkeypatch)
    whole, _ = train_cell(cell, train, test, train, True, False, tmp_path / "on another disk", None)
    assert not list(tmp_path.iterdir())
    begun, epoch = [], training.train_epoch

    def killed(model, optimizer, data, countermeasure, recipe, number):
        begun.append(number)
        if begun == [0, 1]:
            raise KilledError
        return epoch(model, optimizer, data, countermeasure, recipe, number)

    monkeypatch.setattr(training, "train_epoch", killed)
    with pytest.raises(KilledError):
        train_cell(cell, train, test, train, True, False, tmp_path, None)
    (kept,) = tmp_path.glob("*.training")
    assert elapsed_seconds(kept) > 0
    again, _ = train_cell(cell, purified, test, train, False, False, tmp_path, None)  # the purified set was kept since
    assert begun == [0, 1, 1, 2]
    assert replace(again, seconds=0) == replace(whole, seconds=0)
    assert kept.exists()  # until the result is kept
    cell.forget(tmp_path)
    assert not kept.exists()


def test_a_damaged_training_begins_anew(plan, done, tmp_path):
    cell = done.result(plan.cells[0]).cell
    train, test = load("toy:count=64"), load("toy:count=40,seed=1")
    cell.training(tmp_path, torch.device("cpu")).write_bytes(bytes(10))
    with pytest.warns(UserWarning, match=r"is damaged .* set aside as .*\.corrupt, and the run begins anew"):
        again, _ = train_cell(cell, train, test, train, True, False, tmp_path, "cpu")
    assert replace(again, seconds=0) == replace(done.result(plan.cells[0]), seconds=0)
    (aside,) = tmp_path.glob("*.corrupt")
    assert aside.read_bytes() == bytes(10)
    cell.forget(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_training_whose_state_cannot_be_read_is_not_begun_anew(plan, done, tmp_path):
    cell = done.result(plan.cells[0]).cell
    train, test = load("toy:count=64"), load("toy:count=40,seed=1")
    cell.training(tmp_path, torch.device("cpu")).mkdir()
    with pytest.raises(OSError, match=r"\.training is there and cannot be read .*make it readable, or move it away"):
        train_cell(cell, train, test, train, True, False, tmp_path, "cpu")


def test_a_training_is_not_forgotten_before_its_result_is_kept(plan, tmp_path, monkeypatch):
    runs, events, one = RunFolder(tmp_path), [], replace(plan, cells=plan.cells[:1])
    save_every_step(monkeypatch)

    def full(record):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runs.cells, "save", full)
        Scheduler(steps_of(one, runs), InProcess(), StepTimes.of(runs), on_step=ended(events)).run()
    assert events[-1].state == "failed" and "No space left" in events[-1].message
    assert len(list(runs.cells.folder.glob("*.training"))) == 1
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_epoch", lambda *arguments: pytest.fail("trained again"))
        Scheduler(steps_of(one, runs), InProcess(), StepTimes.of(runs)).run()
    assert runs.result(plan.cells[0])
    assert not list(runs.cells.folder.glob("*.training"))


def test_a_training_goes_on_on_its_own_kind_of_device_alone(plan, done, tmp_path, monkeypatch):
    cell, cpu = done.result(plan.cells[0]).cell, torch.device("cpu")
    here = cell.training(tmp_path, cpu)
    monkeypatch.setattr("unlearnable.bench.cell.name_of", lambda device: "another")
    there = cell.training(tmp_path, cpu)
    assert here != there
    for file in (here, there):
        file.touch()
    cell.forget(tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_time_left(plan, done, tmp_path):
    runs = copied(done, plan, tmp_path)
    for result in runs.cells.all()[1:]:
        (runs.folder / "cells" / f"{result.key}.json").unlink()
    events = []
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), time.monotonic() - 1, events.append)
    run.run()
    assert len(runs.cells.all()) == 1
    assert {type(step) for step in run.failed} >= {Train}
    assert all("no time left" in event.message for event in events if (event.state == "failed"))


def test_no_first_run_outlives_its_time(plan, tmp_path):
    runs = RunFolder(tmp_path)
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), time.monotonic() - 1)
    run.run()
    assert not runs.cells.all()  # though nobody knows how long one takes
    assert all("no time left: nobody knows" in str(why) for why in run.failed.values())
    assert sum(isinstance(step, Train) for step in run.failed) == 10


def test_a_set_is_made_again_where_something_it_depends_on_changed(done):
    made = done.sets.load(TrainingSet("toy:count=64", "noise").key)
    assert made.holds(made.clean)
    assert not made.holds("another")
    assert not replace(made, version="0").holds(made.clean)
    assert not replace(made, files="0").holds(made.clean)


def test_what_is_trained_on_a_set_that_is_made_again_is_left_to_do(plan, done, tmp_path):
    runs = copied(done, plan, tmp_path)
    whole = TrainingSet("toy:count=64", "noise")
    runs.sets.save(replace(runs.sets.load(whole.key), files="0"))
    estimate = Estimate.of(steps_of(plan, runs), StepTimes.of(runs))
    assert (estimate.sets, estimate.cells) == (1, 4)  # two countermeasures, two seeds


def test_packed_records_come_back(plan, done, tmp_path):
    runs = copied(done, plan, tmp_path)
    assert {result.key for result in runs.cells.all()} == {result.key for result in done.cells.all()}
    assert all(runs.result(planned) == done.result(planned) for planned in plan.cells)
    assert runs.unpack(tmp_path / "packed.jsonl") == 10 + 5


def test_packing_keeps_what_the_file_holds(plan, done, tmp_path):
    parts = [plan.part(f"{number}/3").cells for number in (1, 2, 3)]
    done.pack(tmp_path / "whole.jsonl", plan.cells)
    for order in (parts, parts[::-1]):
        file = tmp_path / "parts.jsonl"
        counts = [done.pack(file, cells) for cells in order]
        assert counts == sorted(counts) and counts[-1] == 10 + 5
        assert set(file.read_text().splitlines()) == set((tmp_path / "whole.jsonl").read_text().splitlines())
        file.unlink()


def test_a_newer_record_takes_the_place_of_a_packed_one(plan, done, tmp_path):
    file, runs = tmp_path / "packed.jsonl", copied(done, plan, tmp_path)
    made = runs.sets.load(plan.cells[-1].training.key)
    runs.sets.save(replace(made, seconds=1e6))
    assert runs.pack(file, plan.cells) == 10 + 5
    assert RunFolder(tmp_path / "new").unpack(file) == 10 + 5
    assert RunFolder(tmp_path / "new").sets.load(made.key).seconds == 1e6


def test_a_set_that_is_made_otherwise_than_before_leaves_its_results_alone(plan, done, tmp_path):
    runs, what = copied(done, plan, tmp_path), TrainingSet("toy:count=64", "noise")
    before = replace(runs.sets.load(what.key), fingerprint="another", device="an abacus")
    runs.sets.save(before)
    run = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
    run.run()
    assert runs.sets.load(what.key) == before
    (said,) = set(map(str, run.failed.values()))
    assert "made otherwise before, by an abacus" in said and f"delete {runs.sets.file(what.key)}" in said
    runs.sets.file(what.key).unlink()
    again = Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs))
    again.run()
    assert not again.failed and runs.sets.load(what.key).fingerprint == done.sets.load(what.key).fingerprint


def test_a_set_that_two_machines_made_differently_is_not_mixed_up(plan, done, tmp_path):
    file = tmp_path / "packed.jsonl"
    done.pack(file, plan.cells)
    packed, runs = file.read_text(), RunFolder(tmp_path / "runs")
    made = done.sets.load(TrainingSet("toy:count=64", "noise").key)
    runs.sets.save(replace(made, fingerprint="another", device="an abacus"))
    said = f"holds noise of toy:count=64 as .* made it, {made.fingerprint}; here an abacus made, by .* another"
    with pytest.raises(ValueError, match=said):
        runs.unpack(file)
    with pytest.raises(ValueError, match=said):
        runs.pack(file, plan.cells)
    assert file.read_text() == packed and not runs.cells.all()
    runs.sets.save(replace(made, fingerprint="another", version="0"))
    assert runs.unpack(file) == 10 + 5  # what another version made says nothing


def test_a_packed_file_with_a_spoilt_line_is_refused_whole(plan, done, tmp_path):
    done.pack(tmp_path / "packed.jsonl", plan.cells)
    lines = (tmp_path / "packed.jsonl").read_text().splitlines()
    (tmp_path / "packed.jsonl").write_text("\n".join([*lines[:3], lines[3][:50], *lines[4:]]))
    with pytest.raises(ValueError, match="line 4"):
        RunFolder(tmp_path / "new").unpack(tmp_path / "packed.jsonl")
    assert not (tmp_path / "new").exists()


def test_the_record_of_a_set_comes_back_from_its_file(done):
    for made in done.sets.all():
        assert SetRecord.from_json(made.to_json()) == made
    with pytest.raises(ValueError, match="expected classes, clean, count"):
        SetRecord.from_json("{}")


def test_a_killed_optimisation_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    what = TrainingSet("toy:count=64", "em:surrogate=resnet9:width=4,rounds=2,batch_size=32")
    clean, checkpoint = load("toy:count=64"), RunFolder(tmp_path).checkpoint(what)
    save_every_step(monkeypatch)

    def kill(step):
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(what, clean, checkpoint=checkpoint, device="cpu", on_step=kill)
    done = []
    monkeypatch.setattr(bench_sets, "elapsed_seconds", lambda file: 1000.0)
    with pytest.warns(UserWarning, match="still wrong"):
        made, _ = make(what, clean, checkpoint=checkpoint, device="cpu", on_step=lambda step: done.append(step.done))
        again, _ = make(what, clean, device="cpu")
    assert done[0] == 3 and made.fingerprint == again.fingerprint
    assert 1000 < made.seconds < 1900 and again.seconds < 900


def test_the_command_says_what_is_left_and_resumes(plan, tmp_path):
    file = tmp_path / "toy.yaml"
    file.write_text(PLAN)
    out, pack = tmp_path / "runs", tmp_path / "all.jsonl"
    first = command("bench", file, "--out", out, "--shard", "1/4", "--pack", pack)
    assert "cells to train" in first.stderr
    cells = len(list((out / "cells").iterdir()))
    assert 1 <= cells <= 4
    assert sum("epochs" in json.loads(line) for line in pack.read_text().splitlines()) == cells
    again = command("bench", file, "--out", tmp_path / "elsewhere", "--shard", "1/4", "--pack", pack)
    assert "every cell has its result" in again.stderr
    dry = command("bench", file, "--out", out, "--dry-run")
    assert f"{10 - cells} cells to train" in dry.stderr and len(list((out / "cells").iterdir())) == cells


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shard", "2"], "such as 1/3"),
        (["--workers", "0"], "greater than or equal to 1"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_wrong_options_are_said_before_anything_is_trained(tmp_path, options, said):
    file = tmp_path / "toy.yaml"
    file.write_text(PLAN)
    assert said in command("bench", file, "--out", tmp_path / "runs", *options, code=2).stderr
    assert not (tmp_path / "runs" / "cells").exists()


@pytest.mark.parametrize(("figure", "trained"), [("maps:pictures=2", 0), ("gradcam:pictures=2", 2)])
def test_a_figure_is_drawn_once_from_sets_and_victims(tmp_path, figure, trained):
    text = TOY.replace("countermeasures: [vanilla, ", "countermeasures: [")
    plan = read(tmp_path, f"{text}figure: {figure}\nprotections: {{Clean: clean, Noise: noise}}\n")
    runs = ran(plan, tmp_path / "runs")
    assert len(runs.cells.all()) == trained
    file = runs.figure("toy")
    notes = json.loads(file.with_suffix(".json").read_text())
    assert file.read_bytes().startswith(b"\x89PNG")
    assert (notes["title"], notes["command"]) == ("toys", f"unlearnable bench {tmp_path / 'toy.yaml'}")
    assert len(notes["numbers"]) >= 2
    file.with_suffix(".json").write_text("{")
    events = []
    with pytest.warns(UserWarning, match=r"toy\.png counts as not drawn"):
        Scheduler(steps_of(plan, runs), InProcess(), StepTimes.of(runs), on_step=ended(events)).run()
    assert [event.step.name for event in events] == [f"drawing {figure}"]  # pictures and weights are still kept
    assert json.loads(file.with_suffix(".json").read_text()) == notes


def test_a_command_that_is_told_to_end_leaves_no_worker_behind(tmp_path):
    (tmp_path / "toy.yaml").write_text(PLAN.replace("seeds: 2", "seeds: 500"))
    words = [sys.executable, "-m", "unlearnable", "bench", "toy.yaml", "--workers", "2"]
    command = subprocess.Popen(words, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE)
    while not list((tmp_path / "runs" / "cells").glob("*.json")):
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.1)
    command.terminate()
    _, said = command.communicate()
    assert command.returncode == 130 and b"the same command resumes" in said
    with pytest.raises(ProcessLookupError):  # soon nobody is left in the group that it began
        for _ in range(600):
            os.killpg(command.pid, 0)
            time.sleep(0.1)


def test_sets_are_checked_before_anything_is_made(plan, tmp_path):
    (planned, *_) = plan.cells
    same = replace(planned, test=planned.training.data)
    with pytest.warns(UserWarning, match="64 pictures of toy:count=64 are also in toy:count=64"):
        steps_of(replace(plan, cells=(same,)), RunFolder(tmp_path))
    folder = tmp_path / "other"
    load("toy:count=8").save(folder)
    (folder / "disc").rename(folder / "disk")
    with pytest.raises(ValueError, match="expected the same classes"):
        steps_of(replace(plan, cells=(replace(planned, test=f"folder:path={folder},size=16"),)), RunFolder(tmp_path))


def copied(runs: RunFolder, plan: Plan, folder) -> RunFolder:
    """The records without the pictures."""
    copy = RunFolder(folder / "copy")
    runs.pack(folder / "packed.jsonl", plan.cells)
    assert copy.unpack(folder / "packed.jsonl")
    assert all(isinstance(result, Result) for result in copy.cells.all())
    return copy
