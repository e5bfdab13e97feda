"""A job on a Ray cluster: blocks of files stream through actors, each of which loads the network once.

Source and destination are folders that every node sees at the same place. An actor whose node is lost starts again on
another, and so do the blocks that it had; a block's files come out the same every time, so nothing is lost or doubled.
"""

import logging
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import torch

from unlearnable.compute.ray import connected, nodes
from unlearnable.folder.job import BLOCK, FileTask, FolderJob
from unlearnable.folder.manifest import ManifestEntry
from unlearnable.folder.method import RefusedError
from unlearnable.storage.atomic import PARTIAL
from unlearnable.storage.provenance import __version__

Block = dict[str, bytes]  # a block: its tasks, or its finished entries; Ray's tables have no place for either


class Worker:
    """An actor: it does a job's tasks, a block at a time.

    Args:
        job: what is done to a file.
        threads: of the network; a machine that uses fewer or more may round a last bit in another way.
    """

    def __init__(self, job: FolderJob, threads: int) -> None:
        torch.set_num_threads(threads)
        self.job = job

    def __call__(self, row: Block) -> Block:
        """From a block's tasks to its finished entries, or to what stopped it, such as a full disk."""
        done: list[ManifestEntry] | OSError
        try:
            done = list(self.job.run(pickle.loads(row["block"])))
        except OSError as error:
            done = error
        return {"block": pickle.dumps(done)}


@contextmanager
def joined(address: str | None, dst: Path, needed: Sequence[Path]) -> Iterator[None]:
    """Be connected to the cluster, see `unlearnable.compute.ray.connected`, whose nodes say that they can do the work.

    Args:
        address: of the cluster.
        dst: the destination, which is there; every node must be able to write to it.
        needed: files and folders that every node must see.

    Raises:
        ClusterError: there is no Ray, or no such cluster.
        RefusedError: one of the nodes cannot do the work.
    """
    with connected(address):
        with _mark(dst) as mark:
            _ask_nodes(dst, [*needed, mark])
        yield


def run(job: FolderJob, tasks: list[FileTask]) -> Iterator[ManifestEntry]:
    """Do the tasks on the cluster; their finished entries, block by block, in the order in which they come.

    Ray Data starts an actor again whose process or node is lost, and hands its blocks out again, as often as need be.

    Raises:
        RefusedError: no node has room for an actor.
        OSError: a copy could not be written.
    """
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = list(rows_of(tasks))
    cpus, gpus, actors = _share(job.method.gains_from_gpu)
    answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        Worker,  # type: ignore[arg-type]  # Ray's types know functions alone
        fn_constructor_args=(job, torch.get_num_threads()),
        compute=ray.data.ActorPoolStrategy(size=min(actors, len(rows))),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    return entries_of(answers.iter_rows())


def rows_of(tasks: Sequence[FileTask]) -> Iterator[Block]:
    """Tasks in blocks, as a `Worker` takes them."""
    return ({"block": pickle.dumps(tasks[start : start + BLOCK])} for start in range(0, len(tasks), BLOCK))


def entries_of(answers: Iterable[Block]) -> Iterator[ManifestEntry]:
    """The entries in the answers of workers.

    Raises:
        OSError: what stopped one of them.
    """
    for row in answers:
        done: list[ManifestEntry] | OSError = pickle.loads(row["block"])
        if isinstance(done, OSError):
            raise done
        yield from done


def _share(gains_from_gpu: bool) -> tuple[int, int, int]:
    """How many CPUs and GPUs of a node an actor takes, and for how many actors the nodes have room.

    A GPU where there are any; else as many CPUs as the command itself would use, so that the bytes are the same.

    Raises:
        RefusedError: no node has so many.
    """
    resources = [node["Resources"] for node in nodes()]
    if gains_from_gpu and (gpus := sum(int(node.get("GPU", 0)) for node in resources)):
        return 1, 1, gpus
    threads = torch.get_num_threads()
    actors = sum(int(node.get("CPU", 0)) // threads for node in resources)
    if not actors:
        raise RefusedError(
            f"expected a node with {threads} CPUs for an actor of {threads} threads, got "
            f"{', '.join(str(int(node.get('CPU', 0))) for node in resources)}; set OMP_NUM_THREADS to fewer"
        )
    return threads, 0, actors


def _ask_nodes(dst: Path, needed: list[Path]) -> None:
    """Let every node say what it lacks.

    Raises:
        RefusedError: one lacks something.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, max_retries=0)(lacking)
    asked = {}
    for node in nodes():
        here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        name = f"the node {node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        asked[name] = ask.options(scheduling_strategy=here).remote(__version__, dst, needed)
    for name, answer in asked.items():
        try:
            lacks = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise RefusedError(f"{name} cannot run unlearnable {__version__}; install it there: {error}") from None
        if lacks:
            raise RefusedError(f"{name} lacks {', '.join(lacks)}; all nodes need the same version and folders")


def lacking(version: str, dst: Path, needed: Sequence[Path]) -> list[str]:
    """What this machine lacks: the program in that version, paths, or the right to write to ``dst``."""
    program = [] if version == __version__ else [f"unlearnable {version} (it has {__version__})"]
    unseen = [str(path) for path in needed if not os.path.lexists(path)]
    return program + unseen + ([] if os.access(dst, os.W_OK) else [f"the right to write to {dst}"])


@contextmanager
def _mark(dst: Path) -> Iterator[Path]:
    """A new file in the destination, by which others know it, for a while."""
    mark = dst / f".{uuid4().hex}{PARTIAL}"
    try:
        mark.touch()
        yield mark
    finally:
        mark.unlink(missing_ok=True)
