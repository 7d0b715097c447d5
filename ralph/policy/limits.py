"""Slow down a model that keeps asking for what was just refused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_PAUSES = {3: 5.0, 4: 15.0, 5: 60.0}
_LONGEST = 300.0


class Limits:
    """Consecutive denials per tool name: 3, 4, 5, 6 and more pause it for 5, 15, 60, 300 seconds.

    An approval, or the end of a pause, starts the count again. `now` is monotonic, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._denials: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def denied(self, tool: str) -> None:
        self.wait(tool)  # a pause that has just ended starts a new count
        count = self._denials[tool] = self._denials.get(tool, 0) + 1
        if count >= 3:
            self._until[tool] = self.now() + _PAUSES.get(count, _LONGEST)

    def allowed(self, tool: str) -> None:
        self._denials.pop(tool, None)
        self._until.pop(tool, None)

    def wait(self, tool: str) -> int:
        """Whole seconds until the tool may be asked for again; 0 when it may now."""
        until = self._until.get(tool)
        if until is None:
            return 0
        left = until - self.now()
        if left <= 0:
            self.allowed(tool)
            return 0
        return math.ceil(left)
