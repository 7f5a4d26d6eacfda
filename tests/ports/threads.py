"""The same call from many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def at_once(count: int, call: Callable[[int], T]) -> list[T]:
    """What each of them gave back, all begun together. Raises what the first of them raised."""
    start = threading.Barrier(count)
    given: list[T] = []
    raised: list[BaseException] = []

    def run(number: int) -> None:
        start.wait()
        try:
            given.append(call(number))
        except BaseException as error:  # told to the test below
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return given
