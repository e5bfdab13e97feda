"""The steps of a run as tasks of a Ray cluster: one whose node is lost is done again on another.

Sets travel through Ray's object store, and what a step answers comes back to this process, which keeps it: the nodes
need no folder in common.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from math import inf
from socket import gethostname
from typing import TYPE_CHECKING, Any

import torch

from unlearnable.bench.store import StoredSet
from unlearnable.bench.workers import Executor, called, local
from unlearnable.compute.devices import device_named
from unlearnable.compute.ray import ClusterError, connected, nodes
from unlearnable.storage.provenance import __version__

if TYPE_CHECKING:
    from ray import ObjectRef

LOSSES = 8  # nodes, or processes, that a step may lose before it has failed: it may itself be what kills them


class RayExecutor(Executor):
    """The cluster to which this process is connected.

    Args:
        cpus: that a step takes of a node, and threads with which it computes.
        gpus: that it takes; several share one if they take less than 1.
    """

    def __init__(self, cpus: int, gpus: float) -> None:
        import ray

        self.cpus, self.gpus = cpus, gpus
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=LOSSES, retry_exceptions=False)(called_here)
        self._put = lru_cache(maxsize=6)(lambda stored: ray.put(stored.load()))  # Ray holds what its tasks still need
        self._running: dict[Future[Any], ObjectRef[Any]] = {}

    @property
    def slots(self) -> int:
        """As many steps as the nodes have room for that are there now; one where none is, until there is one."""
        return max(1, room((node["Resources"] for node in nodes()), self.cpus, self.gpus))

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Executor`."""
        given = (self._put(argument) if isinstance(argument, StoredSet) else argument for argument in arguments)
        reference = self._task.remote(__version__, self.cpus, function, *given)
        future: Future[Any] = Future()
        self._running[future] = reference
        reference.future().add_done_callback(partial(self._end, future))
        return future

    def cancel(self) -> None:
        """Give up whatever is under way."""
        import ray

        for reference in list(self._running.values()):
            ray.cancel(reference, force=True)

    def _end(self, future: Future[Any], answered: Future[Any]) -> None:
        """Pass on what a task answered, or what it raised as if that had been raised here."""
        from ray.exceptions import RayTaskError

        del self._running[future]
        error = answered.exception()
        if error is None:
            future.set_result(answered.result())
        elif isinstance(error, RayTaskError) and isinstance(error.cause, Exception):
            future.set_exception(error.cause)
        else:
            future.set_exception(ClusterError(f"given up by Ray: {error}"))


def executor_for(
    workers: int = 1,
    ray: bool | str = False,
    device: str | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
) -> AbstractContextManager[Executor]:
    """Where steps are done: in this process, in several, or on a Ray cluster.

    Args:
        workers: how many processes.
        ray: whether on a cluster, or its address; see `on_ray`.
        device: on which to compute, as text; None for CUDA where there is one.
        cpus: that a step takes of a node of the cluster; 1 when None.
        gpus: that it takes.

    Raises:
        ValueError: these do not go together, or there is no such device.
    """
    device_named(device)
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    if not ray and (cpus or gpus is not None):
        raise ValueError("expected --ray with --cpus-per-cell and --gpus-per-cell")
    if not ray:
        return local(workers)
    if device or workers > 1:
        raise ValueError("expected --ray without --workers and --device: its nodes say how much is done, and on what")
    return on_ray(cpus or 1, gpus, ray if isinstance(ray, str) else None)


@contextmanager
def on_ray(cpus: int = 1, gpus: float | None = None, address: str | None = None) -> Iterator[RayExecutor]:
    """A Ray cluster, see `connected`; steps that are under way at the end are given up.

    Args:
        cpus: that a step takes of a node, and threads with which it computes.
        gpus: that it takes; when None, 1 in a cluster that has any.
        address: of the cluster; when None that of ``RAY_ADDRESS``, else one of this machine.

    Raises:
        ClusterError: there is no Ray, no cluster, or no node in it that has as much.
        ValueError: a part of a GPU and a whole one.
    """
    with connected(address):
        resources = [node["Resources"] for node in nodes()]
        if gpus is None:
            gpus = float(any(node.get("GPU") for node in resources))
        if not room(resources, cpus, gpus):
            have = ", ".join(f"{node.get('CPU', 0):g} and {node.get('GPU', 0):g}" for node in resources)
            raise ClusterError(f"expected a node with {cpus} CPUs and {gpus:g} GPUs; the nodes have {have}")
        executor = RayExecutor(cpus, gpus)
        try:
            yield executor
        finally:
            executor.cancel()


def room(nodes: Iterable[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """How many steps fit on the nodes at a time.

    Args:
        nodes: what each has, by Ray's names.
        cpus: that a step takes of one.
        gpus: that it takes.
    """
    return sum(int(min(node.get("CPU", 0) / cpus, node.get("GPU", 0) / gpus if gpus else inf)) for node in nodes)


def called_here(version: str, threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` answers on a node.

    Raises:
        ClusterError: there is another version of this package there.
        StepError: whatever the function raises.
    """
    if version != __version__:
        raise ClusterError(f"expected unlearnable {version} on every node, got {__version__} on {gethostname()}")
    torch.set_num_threads(threads)
    return called(function, *arguments)
