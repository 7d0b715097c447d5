"""The second opinion on a shell command: bashlex, and the only file that imports it.

bashlex works its grammar's tables out anew in every process, 60 of its 85 milliseconds. They are a constant of the
release, so they are kept in `data/bashlex_tables.json` beside the digest of the sources they were made from; for any
other release bashlex makes its own, slower and the same.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_TABLES = Path(__file__).parent / "data" / "bashlex_tables.json"
# What bashlex has been seen to raise on shell text that it does not know; all mean the same: not read.
_STUMBLES = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_LONGEST = 16_384  # characters; bashlex slows down on longer ones, and a person should see those


def words(text: str) -> list[tuple[str, str]] | None:
    """When bashlex reads exactly one simple command of words only: each word as written, and as bashlex unquotes it."""
    trees = _parse(text)
    if trees is None or len(trees) != 1 or trees[0].kind != "command":
        return None
    parts = trees[0].parts
    return [(text[slice(*part.pos)], part.word) for part in parts] if all(p.kind == "word" for p in parts) else None


def commands(text: str) -> list[list[str]]:
    """The words of every simple command bashlex finds at any depth; none when it cannot read the text."""
    found: list[list[str]] = []
    waiting: list[Any] = list(_parse(text) or ())
    while waiting:
        node = waiting.pop()
        if node.kind == "command":
            found.append([part.word for part in node.parts if part.kind == "word"])
        waiting += [*getattr(node, "parts", ()), *getattr(node, "list", ())]
        waiting += [inner for name in ("command", "output") if hasattr(inner := getattr(node, name, None), "kind")]
    return [argv for argv in found if argv]


def _parse(text: str) -> list[Any] | None:
    if len(text) > _LONGEST:
        return None
    bashlex = _bashlex()
    stumbles = (bashlex.errors.ParsingError, *_STUMBLES)
    try:
        return list(bashlex.parse(text))
    except stumbles:
        return None


@cache
def _bashlex() -> ModuleType:
    if "bashlex" not in sys.modules:
        _preload_tables()
    bashlex = importlib.import_module("bashlex")
    expand = bashlex.subst._paramexpand

    def expand_closed(parser: Any, string: str, at: int) -> Any:
        """bashlex 0.18 goes round for ever on a `${` whose word has no `}`."""
        if string.startswith("${", at) and "}" not in string[at + 2 :]:
            raise bashlex.errors.ParsingError("unclosed ${", string, at)
        return expand(parser, string, at)

    bashlex.subst._paramexpand = expand_closed
    return bashlex


def _preload_tables() -> None:
    """Load bashlex's table maker first and let it take the kept tables, when they fit the installed sources."""
    package = importlib.util.find_spec("bashlex")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent
    kept = json.loads(_TABLES.read_text(encoding="utf-8"))
    if kept["made_from"] != digest(folder):
        return
    bare = ModuleType("bashlex")  # stands in for the package, whose own first import would make the tables
    bare.__path__ = [str(folder)]
    sys.modules["bashlex"] = bare
    try:
        yacc: Any = importlib.import_module("bashlex.yacc")
    finally:
        del sys.modules["bashlex"]

    def take(table: Any) -> None:
        table.lr_action = dict(enumerate(kept["action"]))
        table.lr_goto = dict(enumerate(kept["goto"]))

    yacc.LRTable.lr_parse_table = take


def digest(folder: Path) -> str:
    """Names the sources that decide the tables: the grammar, its tokens and the table maker."""
    sources = (folder / name for name in ("parser.py", "tokenizer.py", "yacc.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def tables() -> dict[str, Any]:
    """What belongs into the data file, from a bashlex that made its own tables (`python -m ralph.policy.bash`)."""
    from bashlex import parser, yacc

    made: dict[str, Any] = {}
    original = yacc.LRTable.lr_parse_table

    def keep(table: Any) -> None:
        original(table)
        made.update(action=list(table.lr_action.values()), goto=list(table.lr_goto.values()))

    yacc.LRTable.lr_parse_table = keep
    try:
        yacc.yacc(module=parser, debug=False)
    finally:
        yacc.LRTable.lr_parse_table = original
    return {"made_from": digest(Path(parser.__file__).parent), **made}


if __name__ == "__main__":
    _TABLES.write_text(json.dumps(tables(), separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
