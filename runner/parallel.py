"""Work in a few threads that end with the process: an interrupt waits for none of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], items: Iterable[T], workers: int) -> list[Future[R]]:
    """Return what `work` makes of each of `items`, in their order, once all is done.

    Items are asked for one after the other by the caller's own thread, while others are worked on.
    """
    waiting: queue.SimpleQueue[tuple[Future[R], T] | None] = queue.SimpleQueue()
    started: list[Future[R]] = []

    def serve() -> None:
        while taken := waiting.get():
            future, item = taken
            try:
                future.set_result(work(item))
            except BaseException as error:  # handed to whoever asks for the result
                future.set_exception(error)

    for _ in range(workers):
        threading.Thread(target=serve, daemon=True).start()
    try:
        for item in items:
            future: Future[R] = Future()
            started.append(future)
            waiting.put((future, item))
    finally:
        for _ in range(workers):
            waiting.put(None)
    for future in started:
        future.exception()
    return started
