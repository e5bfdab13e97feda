from dataclasses import replace

import pytest

from plans import TOY, ran, read
from unlearnable.bench.estimate import Estimate
from unlearnable.bench.plan import TrainingSet
from unlearnable.bench.run import jobs_of
from unlearnable.bench.runs import Runs
from unlearnable.bench.times import Guess, Times
from unlearnable.devices import device_named, name_of

HERE = name_of(device_named(None))
PLAN = TOY.replace('[vanilla, "jpeg:quality=50"]', "[vanilla]") + "protections: {Noise: noise}"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return read(tmp_path_factory.mktemp("plan"), PLAN)


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory) -> Runs:
    return ran(plan, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def times(done) -> Times:
    """One training of ten seconds, and sets of three."""
    times = Times.of(done)
    return Times(
        [replace(result, seconds=10.0) for result in times.results], [replace(s, seconds=3.0) for s in times.sets]
    )


@pytest.fixture
def clean(plan, done):
    return done.sets.load(plan.entries[0].clean.key)


def guess(times: Times, clean, victim="resnet9:width=4", epochs=1, device=None):
    """Of a training here."""
    return times.training(clean, 40, victim, "vanilla", epochs, device or HERE)


def test_a_training_like_one_that_has_been_measured_takes_as_long_an_epoch(times, clean):
    assert guess(times, clean) == Guess(10.0, alike=True)
    assert guess(times, clean, epochs=3) == Guess(30.0, alike=True)


def test_of_other_pictures_in_proportion_to_their_number_and_size(times, clean):
    more = replace(clean, fingerprint="more", count=4 * clean.count)
    assert times.training(more, 160, "resnet9:width=4", "vanilla", 1, HERE) == Guess(40.0, alike=False)
    assert guess(times, more).seconds == pytest.approx(40 * (3 * 256 + 40) / (3 * 256 + 160))  # tested on as few
    larger = guess(times, replace(clean, fingerprint="larger", size=2 * clean.size))
    assert larger.seconds == pytest.approx(40.0, rel=0.02) and not larger.alike


def test_another_victim_in_proportion_to_what_it_multiplies(times, clean):
    wider = guess(times, clean, "resnet9:width=8")
    assert 20 < wider.seconds < 40 and not wider.alike  # every layer but the first has four times as many weights
    assert guess(times, clean, "resnet50").seconds > guess(times, clean, "resnet18").seconds > wider.seconds


def test_the_same_victim_tells_more_than_others(times, clean):
    (result,) = times.results
    slow = replace(result, cell=replace(result.cell, victim="resnet18"), seconds=1e6)
    more = replace(clean, fingerprint="more")
    assert guess(Times([slow, result, slow], times.sets), more) == Guess(10.0, alike=False)


def test_nothing_is_known_of_another_device_nor_by_pictures_of_which_nothing_is_known(times, clean):
    assert guess(times, clean, device="an abacus") is None
    assert guess(Times([], times.sets), clean) is None
    assert guess(Times(times.results, []), replace(clean, fingerprint="more")) is None


def test_a_set_takes_what_it_took_and_another_in_proportion_to_its_pixels(plan, times, clean):
    what = plan.entries[0].training
    assert times.making(what, clean, HERE) == Guess(3.0, alike=True)
    other, more = replace(what, data="toy:count=128"), replace(clean, count=2 * clean.count)
    assert times.making(other, more, HERE) == Guess(6.0, alike=False)
    assert times.making(TrainingSet(other.data, "noise:budget=rms:8"), more, HERE) == times.making(other, more, HERE)
    assert times.making(replace(other, protection="ar"), clean, HERE) is None
    assert times.making(what, clean, "an abacus") is None


def test_a_whole_set_and_a_share_of_it_tell_nothing_of_each_other(plan, times, clean):
    part = replace(plan.entries[0].training, share=0.5)
    assert times.making(part, clean, HERE) is None
    times.sets.append(replace(times.sets[-1], what=part, seconds=1e-3))
    assert times.making(part, clean, HERE).seconds == 1e-3
    assert times.making(replace(part, data="toy:count=65", share=1.0), clean, HERE).seconds == 3.0


def test_what_is_said_before_a_plan_begins(plan, times, tmp_path):
    more = read(tmp_path, PLAN.replace("count=64", "count=640").replace("count=40", "count=400"), "more")
    jobs = jobs_of(more, Runs(tmp_path / "runs"))
    estimate = Estimate.of(jobs, times)
    assert (estimate.asked, estimate.cells, estimate.sets, estimate.rough, estimate.unknown) == (2, 1, 1, 2, 0)
    assert (estimate.seconds, estimate.longest) == (pytest.approx(130), pytest.approx(100))
    told = "1 cells to train, 1 sets to make: about 0 h 2 min, judged by what has been measured"
    assert estimate.told(1) == f"{told} (2 of them by other victims or pictures, in proportion)"
    assert estimate.told(100) == estimate.told(1)  # however many there are, one does the longest
    assert Estimate.of(jobs, Times([], [])).told(1).endswith("as nothing has been measured here")
    unknown = Estimate.of(jobs, Times(times.results, times.sets[:1]))
    assert unknown.unknown == 1 and unknown.told(2).endswith("; of 1 of them nothing is known, and they come on top")
    assert Estimate.of([], times).told(1) == "no cell is asked for"
