"""A Ray cluster on this machine, for tests."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100 * 2**20, "include_dashboard": False}
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 10}


@contextmanager
def one_node() -> Iterator:
    """A cluster of one node of one CPU, to which this process is connected; more may be added as ``NODE`` says."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_worker_niceness", "0")  # with Ray's 15 they starve on a busy machine
        cluster = Cluster(initialize_head=True, head_node_args=NODE | {"_system_config": SOON})
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def wait_for(condition, seconds=60) -> None:
    """Wait for what another process or thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
