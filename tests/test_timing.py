from dataclasses import replace

import pytest

from plans import TOY, ran, read
from unlearnable.bench.estimate import Estimate
from unlearnable.bench.plan_steps import MakeSet, steps_of
from unlearnable.bench.planned_cell import TrainingSet
from unlearnable.bench.steps import Train
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes, TimeEstimate, Workload
from unlearnable.compute.devices import device_named, name_of
from unlearnable.storage.checkpoint import Checkpoint
from unlearnable.victims.architectures import victim_named
from unlearnable.victims.features import save_weights

HERE = name_of(device_named(None))
PLAN = TOY.replace('[vanilla, "jpeg:quality=50"]', "[vanilla]") + "protections: {Noise: noise}"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return read(tmp_path_factory.mktemp("plan"), PLAN)


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory) -> RunFolder:
    return ran(plan, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def sets(done):
    """Each made in three seconds."""
    return [replace(made, seconds=3.0) for made in done.sets.all()]


@pytest.fixture
def result(done):
    """Of one training of ten seconds."""
    (result,) = done.cells.all()
    return replace(result, seconds=10.0)


@pytest.fixture
def times(sets, result) -> StepTimes:
    return StepTimes([*sets, result])


@pytest.fixture
def load(result) -> Workload:
    """That training."""
    load = Workload.of(result, 64)
    assert (load.tests, load.classes, load.size, load.device) == (40, 4, 16, HERE)
    return load


@pytest.fixture
def clean(plan, done):
    return done.sets.load(plan.cells[0].clean.key)


def test_a_training_like_one_that_has_been_measured_takes_as_long_an_epoch(times, load):
    assert times.training(load) == TimeEstimate(10.0, alike=True)
    assert times.training(replace(load, epochs=3)).seconds == pytest.approx(30.0)


def test_of_other_pictures_in_proportion_to_their_number_and_size(times, load):
    other = replace(load, clean="another")
    assert times.training(replace(other, pictures=256, tests=160)) == TimeEstimate(40.0, alike=False)
    assert times.training(replace(other, pictures=256)).seconds == pytest.approx(40 * (3 * 256 + 40) / (3 * 256 + 160))
    assert times.training(replace(other, size=32)).seconds == pytest.approx(40.0, rel=0.02)


def test_another_victim_in_proportion_to_what_it_multiplies(times, load):
    wider = times.training(replace(load, victim="resnet9:width=8"))
    assert 20 < wider.seconds < 40 and not wider.alike  # every layer but the first has four times as many weights
    small, large = (times.training(replace(load, victim=name)).seconds for name in ("resnet18", "resnet50"))
    assert large > small > wider.seconds


def test_a_frozen_victim_multiplies_a_third(times, load, tmp_path):
    save_weights(victim_named("resnet9:width=4").build(4, 16), tmp_path / "backbone")
    frozen = replace(load, countermeasure=f"pretrained:weights={tmp_path / 'backbone'},frozen=true", tests=0)
    assert frozen.multiplications == replace(load, tests=0).multiplications / 3


def test_the_likest_that_has_been_measured_tells(sets, result, load):
    slow = [
        replace(result, cell=replace(result.cell, **other), seconds=1e6)
        for other in ({"victim": "resnet18"}, {"countermeasure": "gray"}, {"clean": "another"})
    ]
    assert StepTimes([*sets, *slow, result]).training(load) == TimeEstimate(10.0, alike=True)
    assert StepTimes([*sets, *slow[:2], result]).training(replace(load, countermeasure="at:steps=1")).alike
    assert StepTimes([*sets, slow[0], result]).training(replace(load, clean="new")) == TimeEstimate(10.0, alike=False)


def test_what_is_left_of_a_set_is_trained_in_less_time(times, tmp_path):
    left = read(tmp_path, PLAN.replace("{Noise: noise}", "{Left: remainder}\nshares: [0.75]"), "left")
    (train,) = [step for step in steps_of(left, RunFolder(tmp_path / "runs")) if isinstance(step, Train)]
    assert train.guess(times).seconds == pytest.approx(10 * (3 * 16 + 40) / (3 * 64 + 40))


def test_nothing_is_known_of_another_device_nor_by_pictures_of_which_nothing_is_known(times, sets, result, load):
    assert times.training(replace(load, device="an abacus")) is None
    assert StepTimes(sets).training(load) is None
    assert StepTimes([result]).training(load) is None


def test_a_set_takes_what_it_took_and_another_in_proportion_to_its_pixels(plan, times, clean):
    what = plan.cells[0].training
    assert times.making(what, clean, HERE) == TimeEstimate(3.0, alike=True)
    other, more = replace(what, data="toy:count=128"), replace(clean, count=2 * clean.count)
    assert times.making(other, more, HERE) == TimeEstimate(6.0, alike=False)
    assert times.making(TrainingSet(other.data, "noise:budget=rms:8"), more, HERE) == times.making(other, more, HERE)
    assert times.making(replace(other, protection="ar"), clean, HERE) is None
    assert times.making(what, clean, "an abacus") is None


def test_a_whole_set_and_a_share_of_it_tell_nothing_of_each_other(plan, times, sets, clean):
    whole = plan.cells[0].training
    part = replace(whole, share=0.5)
    assert times.making(part, clean, HERE) is None
    (made,) = [made for made in sets if made.what == whole]
    times.add(replace(made, what=part, seconds=1e-3))
    assert times.making(part, clean, HERE).seconds == 1e-3
    assert times.making(replace(whole, data="toy:count=65"), clean, HERE).seconds == 3.0


def test_what_a_checkpoint_holds_need_not_be_done_again(plan, times, tmp_path, monkeypatch):
    runs = RunFolder(tmp_path)
    (making,) = [step for step in steps_of(plan, runs) if isinstance(step, MakeSet)]
    assert making.guess(times).seconds == 3.0
    save_weights(victim_named("resnet9:width=4").build(4, 16), runs.checkpoint(making.what))
    for elapsed, left in ((1.0, 2.0), (5.0, 0.0)):
        monkeypatch.setattr("unlearnable.bench.timing.elapsed_seconds", lambda file, elapsed=elapsed: elapsed)
        assert making.guess(times).seconds == left


def test_what_is_left_of_a_training(plan, done, times, tmp_path):
    """One that has gone on for two seconds of ten."""
    runs = RunFolder(tmp_path)
    for made in done.sets.all():
        runs.sets.save(made)
    step = next(step for step in steps_of(plan, runs) if isinstance(step, Train))
    assert step.guess(times).seconds == pytest.approx(10)
    kept = Checkpoint(step.find_cell().training(runs.cells.folder, device_named(None)), {})
    kept._begun -= 2
    kept.save({})
    assert step.guess(times).seconds == pytest.approx(8, abs=0.1)


def test_what_is_said_before_a_plan_begins(times, tmp_path):
    more = read(tmp_path, PLAN.replace("count=64", "count=640").replace("count=40", "count=400"), "more")
    steps = steps_of(more, RunFolder(tmp_path / "runs"))
    estimate = Estimate.of(steps, times)
    assert (estimate.asked, estimate.cells, estimate.sets, estimate.rough, estimate.unknown) == (True, 1, 1, 2, 0)
    assert (estimate.seconds, estimate.longest) == (pytest.approx(130), pytest.approx(100))
    told = "1 cell to train, 1 set to make: about 0 h 2 min, judged by what has been measured"
    assert estimate.line(1) == f"{told} (2 of them by other victims or pictures, in proportion)"
    assert estimate.line(100) == estimate.line(1)  # however many there are, one does the longest
    assert Estimate.of(steps, StepTimes([])).line(1).endswith("as nothing like it has been measured here")
    assert replace(estimate, unknown=1).line(2).endswith("; nothing is known of 1, which come on top")
    assert Estimate.of([], times).line(1) == "no cell is asked for"
