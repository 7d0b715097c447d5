"""`ralph memory`, and `/memory` in a conversation: look at what is remembered, correct it, delete it.

Only what a command needs is loaded for it: looking something up must not wait for an index or a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ralph.commands import memory_files
from ralph.commands.memory_access import Access
from ralph.commands.memory_shown import (
    as_hit,
    as_row,
    as_stats,
    card_text,
    hits_text,
    indices_text,
    list_text,
    state_text,
    why_text,
)
from ralph.commands.shown import Show, Shown, group
from ralph.errors import ConfigError
from ralph.memory.rows import CONVERSATIONS, DOCUMENTS, LONG_TERM, Where
from ralph.place import Place
from ralph.ui.table import table

if TYPE_CHECKING:
    from ralph.memory.memory import Memory

ABOUT = "What is remembered: memories, documents and conversations."
_PAGE = 20
USAGE = (
    ("list [INDEX]", "what an index holds, newest first; --page N, --here"),
    ("search WORDS...", "by meaning and by words; --index NAME, --keyword, -k N"),
    ("show ID", "everything about one entry"),
    ("edit ID FIELD VALUE...", "change type, source, importance, scope or content"),
    ("forget ID...", "delete entries for good"),
    ("why", "what was put before the model in the last turn, and its scores"),
    ("indices", "every index and what is in it"),
    ("stats [INDEX]", "how much there is and how it is searched"),
    ("ingest PATH|URL|DIR", "make documents searchable"),
    ("export FILE", "everything as JSON lines; to a folder: one file for each entry"),
    ("import FILE", "take in such a file or folder"),
    ("compact", "make the database small again"),
    ("eval [FILE]", "measure recall with a question set"),
    ("embedder status|install", "the model that finds texts by meaning"),
)


def add(app: Any, place: Place, show: Show) -> None:
    made = group(app, "memory", ABOUT)
    _commands(made, Access(place), show)


def memory_command(memory: Memory, words: Sequence[str], place: Place) -> str:
    """`/memory WORDS` in a conversation: what to show. Raises RalphError; nothing of it is for the model.

    Call it in a thread: taking in a file takes its time, and has an event loop of its own.
    """
    import typer

    usage_error: Any = typer.BadParameter.__base__  # what all mistakes in a command's words have in common
    shown: list[Shown] = []
    made = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
                       context_settings={"help_option_names": []})  # fmt: skip
    _commands(made, Access(place, memory), shown.append)
    try:
        typer.main.get_command(made).main([*(words or ("help",))], prog_name="/memory", standalone_mode=False)
    except usage_error as error:
        said = error.format_message()  # a group that was called alone says its whole help
        reason = f"/memory {' '.join(words)} needs another word" if "\n" in said else said
        raise ConfigError(reason, hint="/memory help lists the commands") from error
    return "\n".join(item.text for item in shown)


def _commands(made: Any, access: Access, show: Show) -> None:
    _lookups(made, access, show)
    _search(made, access, show)
    _changes(made, access, show)
    memory_files.add(made, access, show)

    @made.command("help")
    def show_help() -> None:
        """This list."""
        data = [{"command": name, "help": about} for name, about in USAGE]
        show(Shown(data, table(("command", "what it does"), USAGE)))


def _lookups(made: Any, access: Access, show: Show) -> None:
    import typer

    @made.command("list")
    def list_documents(
        index: str = typer.Argument(LONG_TERM), page: int = typer.Option(1, min=1, help="20 on each"),
        limit: int = typer.Option(_PAGE, min=1, help="how many on a page"),
        here: bool = typer.Option(False, help="only those of this project"),
    ) -> None:  # fmt: skip
        """What an index holds, newest first."""
        where = Where(scopes=(access.scope,)) if here else Where()
        total = access.store.count(index, where)
        found = access.store.find(index, where, limit=limit, offset=(page - 1) * limit)
        pages = max(1, -(-total // limit))
        data = {"index": index, "total": total, "page": page, "pages": pages, "items": [as_row(d) for d in found]}
        show(Shown(data, list_text(found, page, pages, total)))

    @made.command("show")
    def show_document(id: int) -> None:
        """Everything about one entry."""
        document = access.get(id)
        show(Shown(as_row(document), card_text(document)))

    @made.command("indices")
    def indices() -> None:
        """Every index: its kind, what makes its vectors, how much is in it."""
        rows = access.store.stats()
        show(Shown([as_stats(row) for row in rows], indices_text(rows)))

    @made.command("stats")
    def stats(index: str = typer.Argument("")) -> None:
        """How much there is, what is still to be embedded, how it is searched."""
        data = access.state()
        data["indices"] = [as_stats(row) for row in access.store.stats() if not index or row.spec.name == index]
        if not data["indices"]:
            access.store.definitions.get(index)
        show(Shown(data, state_text(data)))

    @made.command("why")
    def why() -> None:
        """What was put before the model in the last turn, and what its scores are made of."""
        found = access.last_recall()
        show(Shown(found or {"items": []}, why_text(found)))


def _search(made: Any, access: Access, show: Show) -> None:
    import typer

    @made.command("search")
    def search(
        query: list[str], k: int = typer.Option(10, "-k", "--k", min=1, max=1000, help="how many"),
        index: str = typer.Option("", help="only this one; otherwise memories, conversations and documents"),
        keyword: bool = typer.Option(False, help="by words only, without the embedding model"),
        here: bool = typer.Option(False, help="only this project and what is global"),
    ) -> None:  # fmt: skip
        """By meaning and by words, the best first."""
        wanted = (index,) if index else (LONG_TERM, CONVERSATIONS, DOCUMENTS)
        with access.finding(keyword=keyword) as find:
            scopes = access.scopes if here else ()
            found = [find(" ".join(query), k, index=name, scopes=scopes) for name in wanted]
        hits = sorted((hit for one in found for hit in one.hits), key=lambda hit: -hit.score)[:k]
        meant = {word: right for one in found for word, right in one.meant.items()}
        modes = sorted({one.mode for one in found})
        show(Shown({"mode": modes[0], "meant": meant, "hits": [as_hit(hit) for hit in hits]},
                   hits_text(hits, modes[0], meant)))  # fmt: skip


def _changes(made: Any, access: Access, show: Show) -> None:
    @made.command("edit")
    def edit(id: int, field: str, value: list[str]) -> None:
        """Change type, source, importance, scope or content; new content is embedded again."""
        with access.memory() as memory:
            document = memory.edit(id, field, " ".join(value))
        show(Shown(as_row(document), f"changed {field} of {id}\n{card_text(document)}"))

    @made.command("forget")
    def forget(ids: list[int]) -> None:
        """Delete entries for good."""
        documents = [access.get(id) for id in ids]
        access.store.delete([document.id for document in documents])
        access.store.purge()
        text = table(("forgotten", "text"), [(document.id, document.text) for document in documents])
        show(Shown({"deleted": [as_row(document) for document in documents]}, text))
