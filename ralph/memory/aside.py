"""Work that may take its time, in a thread of its own, for a caller who waits only so long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from ralph.errors import RalphError

T = TypeVar("T")


class Late(Exception):
    """The work is not done yet."""


class Aside:
    """Does one thing after the other. The thread is made when first needed and ends with the process."""

    def __init__(self, name: str) -> None:
        self._name, self._lock = name, threading.Lock()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, work: Callable[[], T], seconds: float, *, anyway: bool = False) -> T:
        """What `work` returns or raises. Raises Late when that takes longer than `seconds`.

        anyway: do it then all the same, as soon as it can be; otherwise it is dropped unless it has begun.
        """
        future: Future[T] = Future()

        def answer() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except RalphError as error:
                    future.set_exception(error)
                except BaseException as error:  # a bug: it shows even when nobody waits any more
                    future.set_exception(error)
                    raise

        self.begin(answer)
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():  # the work itself raised it, or it is done this very moment
                return future.result()
            if not anyway:
                future.cancel()
            raise Late from None

    def begin(self, work: Callable[[], None]) -> None:
        """Have it done after what is being done now. What it raises is a bug, and shows as one."""
        self._jobs.put(work)
        with self._lock:
            if self._thread is None:
                self._start()

    def close(self, seconds: float) -> bool:
        """Take no more; wait for what is being done. False when it is not done within `seconds`."""
        with self._lock:
            thread = self._thread
        if thread is None:
            return True
        self._jobs.put(None)
        thread.join(seconds)
        return not thread.is_alive()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        ended = False
        try:
            while (work := self._jobs.get()) is not None:
                work()
            ended = True
        finally:
            if not ended:  # a bug ends the thread, not what waits behind it
                with self._lock:
                    self._start()
