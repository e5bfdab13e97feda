"""The connection to a Ray cluster."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

ANSWERS = 10.0  # s; within which a cluster must; Ray itself would try for minutes


class ClusterError(ConnectionError):
    """There is no Ray, no cluster, or none that can do the work."""


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """Be connected for a while; see `connect`. A connection that is there already is left as it is.

    Raises:
        ClusterError: there is no Ray, or no such cluster.
    """
    if not connect(address):
        yield
        return
    import ray

    try:
        yield
    finally:
        ray.shutdown()


def connect(address: str | None = None) -> bool:
    """Connect to a cluster: of ``RAY_ADDRESS`` when None, else one of this machine, started if there is none.

    A cluster that is started here ends with this process. Answers whether it has connected: not where it was already.

    Raises:
        ClusterError: there is no Ray, no such cluster, or a connection to another.
    """
    if missing := [name for name in ("ray", "pyarrow") if not find_spec(name)]:
        raise ClusterError(f"{', '.join(missing)} is not installed: pip install 'unlearnable[scale]'")
    import ray

    if ray.is_initialized():
        if address and address != (here := ray.get_runtime_context().gcs_address):
            raise ClusterError(f"expected a connection to {address}, found one to {here}; end it by ray.shutdown()")
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started here, too
    address = address or os.environ.get("RAY_ADDRESS", "")
    _knock(address)
    try:
        ray.init(address or None, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise ClusterError(f"expected a Ray cluster at {address}: {error}") from None
    return True


def nodes() -> list[dict[str, Any]]:
    """The nodes that are alive, as Ray describes each."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def _knock(address: str) -> None:
    """See that something listens where an address names a host and a port.

    Raises:
        ClusterError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"expected a Ray cluster at {address}, and nothing answers there ({error}); start one by ray start --head"
        ) from None
