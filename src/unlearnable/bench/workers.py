"""Where the steps of a run are done: in this process, or in several on this machine; `bench.ray` has a third executor.

Each takes a function with its arguments and answers with a future. Of arguments that are `StoredSet` the function
gets the sets themselves.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

import torch

from unlearnable.bench.failure import StepError
from unlearnable.bench.store import StoredSet


class Executor(ABC):
    """Somewhere to compute."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many steps it does at a time; this may change."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Begin; the future holds what the function answers, or a `StepError` of what it raises."""


class InProcess(Executor):
    """This process: a step is done when `submit` returns."""

    slots = 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Executor`."""
        future: Future[Any] = Future()
        try:
            future.set_result(called(function, *arguments))
        except StepError as error:
            future.set_exception(error)
        return future


class Processes(Executor):
    """Processes of this machine, among which its cores are divided.

    Where the system kills one, most often for want of memory, all of them end, and what they did has failed; the next
    step begins in new ones.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._executor = self._new()

    @property
    def slots(self) -> int:
        """As many as there are processes."""
        return self._slots

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See `Executor`."""
        try:
            return self._executor.submit(called, function, *arguments)
        except BrokenProcessPool:
            self.end()
            self._executor = self._new()
            return self._executor.submit(called, function, *arguments)

    def stop(self) -> None:
        """Whatever they do."""
        for process in (self._executor._processes or {}).values():
            process.terminate()

    def end(self) -> None:
        """When they have done what they do."""
        self._executor.shutdown(cancel_futures=True)

    def _new(self) -> ProcessPoolExecutor:
        threads = max(1, (os.cpu_count() or 1) // self._slots)
        # Forked processes cannot use CUDA, nor OpenMP's threads once they have run.
        return ProcessPoolExecutor(self._slots, get_context("spawn"), torch.set_num_threads, (threads,))


W = TypeVar("W", bound=Processes)


@contextmanager
def local(workers: int) -> Iterator[Executor]:
    """This process for one worker, else so many others; those are stopped when something is raised here."""
    if workers == 1:
        yield InProcess()
        return
    with ending(Processes(workers)) as executor:
        yield executor


@contextmanager
def ending(executor: W) -> Iterator[W]:
    """Processes that end with the block, at once where something is raised in it."""
    try:
        yield executor
    except BaseException:
        executor.stop()
        raise
    finally:
        executor.end()


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` answers when sets stand in place of what is `StoredSet`.

    Raises:
        StepError: whatever it raises, in a form that comes back from any process.
    """
    try:
        return function(*(argument.load() if isinstance(argument, StoredSet) else argument for argument in arguments))
    except Exception as error:
        raise StepError.of(error) from None
