"""`ralph memory`, and `/memory` in a conversation: look at what is remembered, correct it, delete it.

Only what a command needs is loaded for it: looking something up must not wait for an index or a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ralph.commands.memory_access import Access
from ralph.commands.memory_shown import (
    as_hit,
    as_row,
    as_stats,
    card_text,
    help_text,
    hits_text,
    indices_text,
    list_text,
    state_text,
    why_text,
)
from ralph.commands.plain import Command, Flag, attach, run_plainly
from ralph.commands.shown import Show, Shown, group
from ralph.errors import ConfigError
from ralph.memory.resemblance import said_in
from ralph.memory.rows import CONVERSATIONS, DOCUMENTS, LONG_TERM, Where
from ralph.place import Place
from ralph.ui.table import table

if TYPE_CHECKING:
    from ralph.memory.memory import Memory

ABOUT = "What is remembered: memories, documents and conversations."
_PAGE = 20
_MOST = 1_000_000_000
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
    _commands(group(app, "memory", ABOUT), Access(place), show)


def answer(words: Sequence[str], place: Place, show: Show) -> bool:
    """`ralph memory WORDS` when it is one of COMMANDS and well-formed; False: not done, it is typer's."""
    return run_plainly(COMMANDS, words, Access(place), show)


def memory_command(memory: Memory, words: Sequence[str], place: Place) -> str:
    """`/memory WORDS` in a conversation: what to show. Raises RalphError; nothing of it is for the model.

    Call it in a thread: taking in a file takes its time, and has an event loop of its own.
    """
    shown: list[Shown] = []
    access = Access(place, memory)
    words = [*(words or ("help",))]
    if not run_plainly(COMMANDS, words, access, shown.append):
        _read_by_typer(words, access, shown.append)
    return "\n".join(item.text for item in shown)


def _read_by_typer(words: Sequence[str], access: Access, show: Show) -> None:
    import typer

    usage_error: Any = typer.BadParameter.__base__  # what all mistakes in a command's words have in common
    made = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
                       context_settings={"help_option_names": []})  # fmt: skip
    _commands(made, access, show)
    try:
        typer.main.get_command(made).main([*words], prog_name="/memory", standalone_mode=False)
    except usage_error as error:
        said = error.format_message()  # a group that was called alone says its whole help
        reason = f"/memory {' '.join(words)} needs another word" if "\n" in said else said.rstrip(".")
        raise ConfigError(reason, hint="/memory help lists the commands") from error


def _commands(made: Any, access: Access, show: Show) -> None:
    from ralph.commands import memory_files  # noqa: PLC0415  # a look-up needs none of it

    for command in COMMANDS:
        attach(made, command, access, show)
    memory_files.add(made, access, show)


def show_help(access: Access, show: Show) -> None:
    """This list."""
    data = [{"command": name, "help": about} for name, about in USAGE]
    show(Shown(data, help_text(USAGE)))


def list_documents(
    access: Access, show: Show, index: str = LONG_TERM, *, page: int = 1, limit: int = _PAGE, here: bool = False
) -> None:
    """What an index holds, newest first."""
    where = Where(scopes=(access.scope,)) if here else Where()
    total = access.store.count(index, where)
    found = access.store.find(index, where, limit=limit, offset=(page - 1) * limit)
    pages = max(1, -(-total // limit))
    data = {"index": index, "total": total, "page": page, "pages": pages, "items": [as_row(d) for d in found]}
    show(Shown(data, list_text(found, page, pages, total)))


def show_document(access: Access, show: Show, id: int) -> None:
    """Everything about one entry."""
    document = access.get(id)
    show(Shown(as_row(document), card_text(document)))


def indices(access: Access, show: Show) -> None:
    """Every index: its kind, what makes its vectors, how much is in it."""
    rows = access.store.stats()
    show(Shown([as_stats(row) for row in rows], indices_text(rows)))


def stats(access: Access, show: Show, index: str = "") -> None:
    """How much there is, what is still to be embedded, how it is searched."""
    data = access.state()
    data["indices"] = [as_stats(row) for row in access.store.stats() if not index or row.spec.name == index]
    if not data["indices"]:
        access.store.definitions.get(index)
    show(Shown(data, state_text(data)))


def why(access: Access, show: Show) -> None:
    """What was put before the model in the last turn, and what its scores are made of."""
    found = access.last_recall()
    show(Shown(found or {"items": []}, why_text(found)))


def search(
    access: Access, show: Show, query: list[str], *, k: int = 10, index: str = "", keyword: bool = False,
    here: bool = False,
) -> None:  # fmt: skip
    """By meaning and by words, the best first."""
    if not " ".join(query).strip():
        raise ConfigError("there is nothing to search for", hint="give a word or more")
    wanted = (index,) if index else (LONG_TERM, CONVERSATIONS, DOCUMENTS)
    with access.finding(keyword=keyword) as find:
        scopes = access.scopes if here else ()
        found = [find(" ".join(query), k, index=name, scopes=scopes) for name in wanted]
    hits = sorted((hit for one in found for hit in one.hits), key=lambda hit: -hit.score)[:k]
    meant = {word: right for one in found for word, right in one.meant.items()}
    modes = sorted({one.mode for one in found})
    show(Shown({"mode": modes[0], "meant": meant, "hits": [as_hit(hit) for hit in hits]},
               hits_text(hits, modes[0], meant)))  # fmt: skip


def edit(access: Access, show: Show, id: int, field: str, value: list[str]) -> None:
    """Change type, source, importance, scope or content; new content is embedded again."""
    with access.memory() as memory:
        document = memory.edit(id, field, " ".join(value))
    show(Shown(as_row(document), f"changed {field} of {id}\n{card_text(document)}"))


def forget(access: Access, show: Show, ids: list[int]) -> None:
    """Delete entries for good."""
    documents = [access.get(id) for id in ids]
    access.store.delete([document.id for document in documents])
    access.store.purge()
    turns = {turn.id for document in documents for turn in said_in(access.store, document.text)}
    text = table(("forgotten", "text"), [(document.id, document.text) for document in documents])
    if turns:
        text += f"\nconversations still hold these words; to be rid of them: forget {' '.join(map(str, sorted(turns)))}"
    show(Shown({"deleted": [as_row(document) for document in documents], "said_in": sorted(turns)}, text))


COMMANDS = (
    Command("list", list_documents, {
        "page": Flag(f"{_PAGE} on each", 1, _MOST), "limit": Flag("how many on a page", 1, _MOST),
        "here": Flag("only those of this project"),
    }),
    Command("search", search, {
        "k": Flag("how many", 1, 1000), "here": Flag("only this project and what is global"),
        "index": Flag("only this one; otherwise memories, conversations and documents"),
        "keyword": Flag("by words only, without the embedding model"),
    }),
    Command("show", show_document), Command("indices", indices), Command("stats", stats), Command("why", why),
    Command("edit", edit), Command("forget", forget), Command("help", show_help),
)  # fmt: skip
