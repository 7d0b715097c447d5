"""The last hand on a tool's output before the model reads it: capped, the rest kept where the model can page it."""

from __future__ import annotations

from pathlib import Path

from ralph.core.messages import ToolCall
from ralph.core.tools import Output, ToolSpec

MOST_CHARS = 60_000
_TAIL = 8_000


class Cap:
    """Callable as the runner's `finish`. Text the model cannot be sent (half surrogate pairs) is replaced."""

    def __init__(self, scratch: Path, most: int = MOST_CHARS) -> None:
        self._scratch, self._most = scratch, most

    def __call__(self, spec: ToolSpec, call: ToolCall, output: Output) -> Output:
        text = output.text.encode("utf-8", "replace").decode("utf-8")
        if len(text) <= self._most:
            return Output(text, output.is_error, output.display)
        path = self._keep(call, text)
        head, tail = text[: self._most - _TAIL], text[-_TAIL:]
        left_out = len(text) - len(head) - len(tail)
        where = f"; all of it is in {path}: read_file pages it" if path else ""
        note = f"\n[... {left_out:,} characters left out{where} ...]\n"
        return Output(head + note + tail, output.is_error, output.display)

    def _keep(self, call: ToolCall, text: str) -> Path | None:
        safe = "".join(letter if letter.isalnum() else "_" for letter in call.id)[:60]
        path = self._scratch / f"{call.name}-{safe}.txt"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(text, encoding="utf-8")
        except OSError:
            return None  # the note then does not promise a file
        return path
