"""Work in a few threads that end with the process: an interrupt waits for none of them."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_background(call: Callable[[], R]) -> Future[R]:
    """Start `call` in a thread of its own and return what becomes of it."""
    future: Future[R] = Future()
    threading.Thread(target=_fulfil, args=(future, call), daemon=True).start()
    return future


def in_parallel(work: Callable[[T], R], items: Iterable[T], workers: int) -> list[Future[R]]:
    """Return what `work` makes of each of `items`, in their order, once all is done."""
    waiting: queue.SimpleQueue[tuple[Future[R], T] | None] = queue.SimpleQueue()
    started: list[Future[R]] = []

    def serve() -> None:
        while taken := waiting.get():
            future, item = taken
            _fulfil(future, functools.partial(work, item))

    for item in items:
        started.append(Future())
        waiting.put((started[-1], item))
    for _ in range(min(workers, len(started))):
        waiting.put(None)
        threading.Thread(target=serve, daemon=True).start()
    for future in started:
        future.exception()
    return started


def _fulfil(future: Future[R], call: Callable[[], R]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # handed to whoever asks for the result
        future.set_exception(error)
