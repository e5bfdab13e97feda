"""Plans on a real Ray cluster of two nodes: nothing is lost when one of them is."""

import os
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from importlib.util import find_spec
from threading import Thread

import pytest

from clusters import NODE, one_node, wait_for
from commands import run as command
from plans import TOY, ended, ran, read
from unlearnable.audit.run import audit_folder
from unlearnable.bench import scheduler
from unlearnable.bench.failure import StepError
from unlearnable.bench.plan import Plan
from unlearnable.bench.plan_steps import steps_of
from unlearnable.bench.ray import called_here, on_ray, room
from unlearnable.bench.scheduler import Scheduler
from unlearnable.bench.store import RunFolder
from unlearnable.bench.timing import StepTimes
from unlearnable.bench.workers import Executor, InProcess
from unlearnable.compute.devices import DivergedError
from unlearnable.compute.ray import ClusterError, connected
from unlearnable.datasets import load
from unlearnable.storage.provenance import __version__

PLAN = TOY + "seeds: 3\nprotections: {Clean: clean, Noise: noise}\n"

pytestmark = pytest.mark.xdist_group("cluster")  # one cluster at a time
with_ray = pytest.mark.skipif(not find_spec("ray"), reason="needs unlearnable[scale]")


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
    return read(tmp_path_factory.mktemp("plan"), PLAN)


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory) -> RunFolder:
    return ran(plan, tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def head():
    with one_node() as cluster:
        yield cluster


class Doomed(Executor):
    """A cluster of which one node does two steps and dies before it has answered the second.

    Attributes:
        busy: a file that is there when that node waits for its end.
        steps: folder with a file for every step done, named after the node.
    """

    def __init__(self, executor, node, folder):
        self.executor, self.node = executor, node
        self.busy, self.steps = folder / "busy", folder / "steps"
        self.steps.mkdir()

    @property
    def slots(self):
        return self.executor.slots

    def submit(self, function, *arguments):
        node, busy, steps, monotonic, sleep = self.node, self.busy, self.steps, time.monotonic, time.sleep

        def step(*arguments):  # goes to the nodes as code: they do not know this file
            import ray

            answer = function(*arguments)
            here, end = ray.get_runtime_context().get_node_id(), monotonic() + 120
            (steps / f"{here} {end}").touch()
            if here == node and len(list(steps.glob(f"{node} *"))) == 2:
                busy.touch()
                sleep(600)
            while here != node and not busy.exists() and monotonic() < end:  # leaves work for the other
                sleep(0.02)
            return answer

        return self.executor.submit(step, *arguments)


@with_ray
def test_a_node_joins_and_is_lost_in_the_middle_and_nothing_else_is(head, plan, done, tmp_path):
    runs, events = RunFolder(tmp_path / "runs"), []
    with on_ray() as executor:
        assert executor.slots == 1
        node = head.add_node(**NODE)
        assert executor.slots == 2
        doomed = Doomed(executor, node.node_id, tmp_path)

        def kill():
            wait_for(doomed.busy.exists, 120)
            head.remove_node(node, allow_graceful=False)

        killer = Thread(target=kill)
        killer.start()
        run = Scheduler(steps_of(plan, runs), doomed, StepTimes.of(runs), on_step=ended(events))
        run.run()
        killer.join()
        wait_for(lambda: executor.slots == 1, 120)  # its tasks may be known to be lost before the node is
    assert not run.failed
    steps = [file.name.split()[0] for file in doomed.steps.iterdir()]
    assert steps.count(node.node_id) == 2 and len(steps) > len(events)  # what was lost was done again
    assert [without_time(runs, entry) for entry in plan.cells] == [without_time(done, entry) for entry in plan.cells]
    assert names(runs.folder / "cache") == names(done.folder / "cache")


@with_ray
def test_the_command_trains_on_the_cluster(head, plan, done, tmp_path):
    file = tmp_path / "toy.yaml"
    file.write_text(PLAN)
    said = command("bench", file, "--out", tmp_path / "runs", "--shard", "1/6", "--ray").stderr
    assert "2/2 toy Clean, vanilla, resnet9:width=4, seed 1: final" in said
    runs = RunFolder(tmp_path / "runs")
    for entry in plan.cells[:2]:
        assert without_time(runs, entry) == without_time(done, entry)


@with_ray
def test_an_audit_trains_on_the_cluster(head, tmp_path):
    load("toy:count=32").save(tmp_path / "train")
    how = {"countermeasures": "vanilla,gray", "victim": "resnet9:width=2", "recipe": "quick:epochs=1"}
    sets = (tmp_path / "train", "toy:count=32", "toy:count=40,seed=1")
    outcome = audit_folder(*sets, tmp_path / "out", ray=head.address, **how)
    here = audit_folder(*sets, tmp_path / "here", **how)
    assert not outcome.missing and len(outcome.rows) == 2
    for row, other in zip(outcome.rows, here.rows, strict=True):
        assert row.clean[0].cell == other.clean[0].cell


@with_ray
def test_what_a_step_raises_comes_back(head):
    def broken():
        raise DivergedError("not finite")

    with on_ray() as executor, pytest.raises(StepError, match=r"^not finite$"):
        executor.submit(broken).result(60)


@with_ray
def test_a_set_is_sent_once(head, done, monkeypatch):
    import ray

    (kept, *_) = (done.stored_set(made.fingerprint) for made in done.sets.all())
    sent = []
    put = ray.put
    monkeypatch.setattr(ray, "put", lambda value: sent.append(value) or put(value))
    with on_ray() as executor:
        answers = [executor.submit(lambda data: data.labels.tolist(), kept) for _ in range(3)]
        assert [answer.result(60) for answer in answers] == [kept.load().labels.tolist()] * 3
    assert len(sent) == 1


@with_ray
def test_an_interrupted_run_leaves_the_cluster_free(head, tmp_path):
    import ray

    begun = tmp_path / "begun"

    def endless():
        begun.touch()
        time.sleep(600)

    with pytest.raises(KeyboardInterrupt), on_ray() as executor:
        executor.submit(endless)
        wait_for(begun.exists)
        raise KeyboardInterrupt
    wait_for(lambda: ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"])


@with_ray
def test_a_cluster_without_room_is_refused(head):
    with pytest.raises(ClusterError, match="2 CPUs and 0 GPUs; the nodes have 1 and 0"), on_ray(cpus=2):
        pass
    with pytest.raises(ClusterError, match=r"1 CPUs and 0\.5 GPUs"), on_ray(gpus=0.5):
        pass


@with_ray
def test_the_cluster_of_an_address_does_what_another_process_asks_of_it(head, tmp_path):
    file, out = tmp_path / "toy.yaml", tmp_path / "runs"
    file.write_text(TOY + "protections: {Clean: clean}\n")
    words = ["bench", file, "--out", out, "--ray-address", head.address]
    elsewhere = os.environ | {"RAY_ADDRESS": "127.0.0.1:1"}
    asked = subprocess.run(
        [sys.executable, "-m", "unlearnable", *words], capture_output=True, text=True, timeout=300, env=elsewhere
    )
    assert asked.returncode == 0, asked.stderr
    assert all(map(RunFolder(out).result, Plan.read(file).cells))


@with_ray
@pytest.mark.parametrize("where", [["--ray"], ["--ray-address", "127.0.0.1:1"]])
def test_no_cluster_is_said_at_once(monkeypatch, tmp_path, where):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1" if where == ["--ray"] else "127.0.0.1:2")
    file = tmp_path / "toy.yaml"
    file.write_text(PLAN)
    said = command("bench", file, "--out", tmp_path / "runs", *where, code=2).stderr
    assert "cluster at 127.0.0.1:1, and nothing answers there" in said
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(ClusterError, match="cluster at nowhere: Invalid address"), connected():
        pass


@with_ray
def test_a_connection_to_another_cluster_is_not_taken_for_it(head):
    with connected(head.address):
        pass
    with pytest.raises(ClusterError, match="expected a connection to a:1, found one to"), connected("a:1"):
        pass


def test_an_address_that_is_empty(tmp_path):
    for words in (["bench", "plan.yaml"], ["protect", tmp_path, tmp_path / "out"]):
        assert "expected HOST:PORT, got nothing" in command(*words, "--ray-address", "", code=2).stderr


def test_without_ray(monkeypatch):
    monkeypatch.setattr("unlearnable.compute.ray.find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"pip install 'unlearnable\[scale\]'"), on_ray():
        pass


@pytest.mark.parametrize(
    "options",
    [
        ["--ray", "--workers", "2"],
        ["--ray", "--device", "cpu"],
        ["--ray-address", "a:1", "--device", "cpu"],
        ["--cpus-per-cell", "2"],
    ],
)
def test_options_that_do_not_go_together(tmp_path, options):
    file = tmp_path / "toy.yaml"
    file.write_text(PLAN)
    assert "expected --ray with" in command("bench", file, "--out", tmp_path / "runs", *options, code=2).stderr


@pytest.mark.parametrize(
    ("cpus", "gpus", "steps"), [(1, 0, 12), (3, 0, 2), (9, 0, 0), (1, 1, 3), (1, 0.25, 10), (2, 0.1, 5), (1, 2, 1)]
)
def test_room_is_counted_node_by_node(cpus, gpus, steps):
    nodes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 2.0}, {"memory": 1e9}]
    assert room(nodes, cpus, gpus) == steps


def test_another_version_is_refused():
    assert called_here(__version__, 1, max, 2, 3) == 3
    with pytest.raises(ClusterError, match=r"expected unlearnable 0\.0 on every node"):
        called_here("0.0", 1, max, 2, 3)


def test_a_place_that_grows_is_filled(plan, tmp_path, monkeypatch):
    """Without waiting for the end of what is under way."""

    class Growing(InProcess):
        begun, slots = 0, 1

        def submit(self, function, *arguments):
            self.begun += 1
            if self.begun > 1:
                return super().submit(function, *arguments)
            self.first, answered = Future(), super().submit(function, *arguments)
            Thread(target=self.grow, args=[answered.result()]).start()
            return self.first

        def grow(self, answer):
            self.slots = 2
            wait_for(lambda: self.begun > 1)
            self.first.set_result(answer)

    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.01)
    runs = RunFolder(tmp_path)
    run = Scheduler(steps_of(replace(plan, cells=plan.cells[4:8]), runs), Growing(), StepTimes.of(runs))
    run.run()
    assert not run.failed and all(map(runs.result, plan.cells[4:8]))


def without_time(runs, entry):
    return replace(runs.result(entry), seconds=0)


def names(folder):
    return {file.name for file in folder.iterdir()}
