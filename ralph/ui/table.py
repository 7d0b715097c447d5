"""Rows as text that fits the terminal: the widest column is cut first, nothing wraps."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ralph.ui.visible import columns, cropped, printable


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, width: int | None = None) -> str:
    """Aligned columns under their headings. `width` None: of the terminal, 100 where there is none."""
    room = width or shutil.get_terminal_size((100, 24)).columns
    cells = [list(headings), *([printable(_flat(cell)) for cell in row] for row in rows)]
    widths = [max(_size(row[index]) for row in cells) for index in range(len(headings))]
    while sum(widths) + 2 * (len(widths) - 1) > room and max(widths) > 6:
        widths[widths.index(max(widths))] -= 1
    return "\n".join(
        "  ".join(_padded(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _flat(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _size(text: str) -> int:
    return sum(map(columns, text))


def _padded(cell: str, size: int) -> str:
    shown = cell if _size(cell) <= size else cropped(cell, size - 1) + "…"
    return shown + " " * (size - _size(shown))
