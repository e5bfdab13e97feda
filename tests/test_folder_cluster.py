"""`protect --ray`: the same bytes as here, on a real cluster of two nodes, whatever dies on the way."""

import pickle
import time
from contextlib import nullcontext
from copy import copy
from importlib.util import find_spec
from threading import Thread

import pytest
import torch

from clusters import NODE, one_node, wait_for
from commands import run
from samples import picture
from unlearnable import protect_folder, verify_folder
from unlearnable.folder import ray as cluster
from unlearnable.folder.job import BLOCK
from unlearnable.folder.protect import RefusedError
from unlearnable.folder.ray import Worker, entries_of, lacking, rows_of
from unlearnable.protections import protection_named, protections
from unlearnable.protections.base import Streaming
from unlearnable.storage.lock import LockedError, locked

STREAMING = [name for name in protections if isinstance(protection_named(name), Streaming)]

pytestmark = pytest.mark.xdist_group("cluster")  # one cluster at a time
with_ray = pytest.mark.skipif(not (find_spec("ray") and find_spec("pyarrow")), reason="needs unlearnable[scale]")


@pytest.fixture(scope="module")
def nodes():
    """A head and another node, of one CPU each, as processes of this machine."""
    with one_node() as cluster:
        cluster.add_node(**NODE)
        yield cluster


@pytest.fixture
def no_network(monkeypatch):
    """Workers that get their job as bytes, as from another machine, and take turns at the blocks."""

    def turns(job, tasks):
        sent = pickle.dumps(job)
        workers = [Worker(pickle.loads(sent), torch.get_num_threads()) for _ in range(2)]
        rows = list(rows_of(tasks))
        return entries_of(workers[index % 2](row) for index, row in reversed(list(enumerate(rows))))

    addresses: list[str | None] = []
    monkeypatch.setattr(cluster, "joined", lambda address, dst, needed: nullcontext(addresses.append(address)))
    monkeypatch.setattr(cluster, "run", turns)
    return addresses


@pytest.fixture
def job(tmp_path, weights):
    def protect(src, dst, **options):
        options = ({} if "method" in options else {"weights": weights}) | options
        return protect_folder(src, tmp_path / dst, key=tmp_path / "key", **options)

    return protect


def mixed(folder, count):
    """Pictures of several sizes in two classes, so that batches break inside blocks, and a broken one."""
    for index in range(count - 1):
        file = folder / f"{'ab'[index % 2]}/{index:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(index, 33 if index % 7 else 50, 20 + index // 50).save(file)
    (folder / "b" / "broken.png").write_bytes(b"broken")
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def doomed(job, node, stuck):
    """The job, but stuck on that node in the middle of its first block; on others it waits for that."""
    sleep, monotonic = time.sleep, time.monotonic

    def run(tasks):  # goes to the nodes as code: they do not know this file
        import ray

        if ray.get_runtime_context().get_node_id() == node:
            list(job.run(tasks[: len(tasks) // 2]))
            stuck.touch()
            sleep(600)
        end = monotonic() + 120
        while not stuck.exists() and monotonic() < end:
            sleep(0.02)
        yield from job.run(tasks)

    there = copy(job)
    there.run = run
    return there


@with_ray
def test_a_node_is_lost_in_the_middle_and_no_file_is(nodes, job, tmp_path, monkeypatch):
    count = 4 * BLOCK
    src, out, stuck = mixed(tmp_path / "src", count), tmp_path / "there", tmp_path / "stuck"
    job(src, "here")
    (node,) = nodes.worker_nodes

    def kill():
        wait_for(stuck.exists, 120)
        nodes.remove_node(node, allow_graceful=False)

    run = cluster.run
    monkeypatch.setattr(cluster, "run", lambda job, tasks: run(doomed(job, node.node_id, stuck), tasks))
    counts = []
    killer = Thread(target=kill)
    killer.start()
    job(src, "there", ray=True, on_file=lambda done, total: counts.append((done, total)))
    killer.join()
    assert stuck.exists()
    assert counts == [(done, count) for done in range(1, count + 1)]
    assert contents(out) == contents(tmp_path / "here")
    assert verify_folder(out, src).ok


@with_ray
def test_the_cluster_is_left_when_the_run_ends_and_a_connection_that_was_there_stays(nodes, job, tmp_path):
    import ray

    src, words = mixed(tmp_path / "src", 3), ("--key", tmp_path / "key", "--ray-address", nodes.address)
    job(src, "out", ray=True)
    assert ray.is_initialized()
    ray.shutdown()
    try:
        run("protect", src, tmp_path / "new", "--method", "noise", *words, code=3)  # one of the pictures is broken
        assert not ray.is_initialized()
        run("protect", src, tmp_path / "new", "--method", "noise", "--budget", "rms:2", *words, code=2)
        assert not ray.is_initialized()
    finally:
        ray.init(address=nodes.address, log_to_driver=False)


@pytest.mark.parametrize("options", [{}, {"per": "sample"}, *({"method": name} for name in STREAMING)], ids=str)
def test_blocks_that_are_sent_away_give_the_same_bytes(no_network, job, tmp_path, options):
    src = mixed(tmp_path / "src", BLOCK + 7)
    job(src, "here", **options)
    job(src, "there", ray=True, **options)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_the_cluster_of_an_address_is_asked(no_network, job, tmp_path, weights):
    src = mixed(tmp_path / "src", 3)
    job(src, "a", ray=True)
    job(src, "b", ray="10.0.0.1:6379")
    words = ("--key", tmp_path / "key", "--weights", weights, "--ray-address", "10.0.0.2:6379")
    run("protect", src, tmp_path / "c", *words, code=3)  # one of the pictures is broken
    job(src, "d")
    assert no_network == [None, "10.0.0.1:6379", "10.0.0.2:6379"]


def test_a_sent_job_resumes(no_network, job, tmp_path):
    src, out = mixed(tmp_path / "src", BLOCK + 7), tmp_path / "out"
    job(src, "out")
    whole = contents(out)
    times = {path: path.stat().st_ctime_ns for path in out.rglob("*.png")}
    (out / "a" / "0002.png").unlink()
    (src / "a" / "0004.png").write_bytes(b"broken now")
    report = job(src, "out", ray=True)
    redone = {path.name for path in out.rglob("*.png") if times[path] != path.stat().st_ctime_ns}
    assert redone == {"0002.png"}
    assert not (out / "a" / "0004.png").exists()
    assert [file["file"] for file in report.skipped] == ["a/0004.png", "b/broken.png"]
    assert verify_folder(out, src).ok
    assert contents(out).keys() == whole.keys() - {"a/0004.png"}


def test_what_stops_a_worker_stops_the_run(no_network, job, tmp_path, monkeypatch):
    src = mixed(tmp_path / "src", 5)

    def full(job, item):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr("unlearnable.folder.job.FolderJob._write", full)
        job(src, "out", ray=True)
    job(src, "out", ray=True)
    assert verify_folder(tmp_path / "out", src).ok


def test_refused_before_anything_is_written(job, tmp_path, monkeypatch):
    src = mixed(tmp_path / "src", 5)
    before = sorted(tmp_path.rglob("*"))
    for options, reason in [
        ({"method": "em"}, "looks at all pictures together"),
        ({"device": "cuda:0"}, "expected with --ray no device"),
    ]:
        with pytest.raises(RefusedError, match=reason):
            job(src, "out", ray=True, **options)
    with locked(tmp_path / "out"), pytest.raises(LockedError, match="is being written by another run"):
        job(src, "out", ray=True)
    monkeypatch.setattr("unlearnable.compute.ray.find_spec", lambda name: None)
    refused = run("protect", src, tmp_path / "out", "--ray", "--key", tmp_path / "key", code=2)
    assert "ray, pyarrow is not installed: pip install 'unlearnable[scale]'" in refused.output
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_node_may_lack(tmp_path):
    here = cluster.__version__
    assert lacking(here, tmp_path, [tmp_path]) == []
    missing = tmp_path / "elsewhere"
    assert lacking("0.0.1", missing, [tmp_path, missing]) == [
        f"unlearnable 0.0.1 (it has {here})",
        str(missing),
        f"the right to write to {missing}",
    ]


@pytest.mark.parametrize(
    "nodes, gains, expected",
    [
        ([{"CPU": 8.0}, {"CPU": 5.0}, {}], True, (2, 0, 6)),
        ([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0}], True, (1, 1, 2)),
        ([{"CPU": 8.0, "GPU": 2.0}, {"CPU": 8.0}], False, (2, 0, 8)),
    ],
)
def test_an_actor_takes_a_gpu_or_the_threads_of_the_command(monkeypatch, nodes, gains, expected):
    monkeypatch.setattr(cluster, "nodes", lambda: [{"Resources": node} for node in nodes])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert cluster._share(gains) == expected
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    if not expected[1]:
        with pytest.raises(RefusedError, match="set OMP_NUM_THREADS to fewer"):
            cluster._share(gains)
