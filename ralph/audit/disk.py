"""Bringing a file to the disk without waiting for it."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread

from ralph.audit.chain import Chain
from ralph.errors import StoreError


class Disk:
    """Syncs `chain` on a thread of its own. `check` raises the StoreError of a sync that failed."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread: Thread | None = None
        self._failure: StoreError | None = None

    def sync_soon(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()
        self._asked.put(True)

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Wait for what was asked; nothing is asked afterwards."""
        if self._thread is not None:
            self._asked.put(False)
            self._thread.join()
        self.check()

    def _run(self) -> None:
        going = True
        while going:
            going = self._asked.get()
            try:
                while True:  # one sync covers everything written so far
                    going = self._asked.get_nowait() and going
            except Empty:
                pass
            try:
                self._chain.sync()
            except StoreError as error:
                self._failure = error
