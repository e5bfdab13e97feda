"""Work done ahead in threads, a bounded number of items at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], width: int = 4) -> Iterator[R]:
    """Like ``map``, in order, with at most ``width`` results computed or being computed ahead of the consumer.

    Where the consumer stops early or a call fails, what has not begun is cancelled.
    """
    remaining = iter(items)
    pending: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(remaining, width))
    try:
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        for future in pending:
            future.cancel()
