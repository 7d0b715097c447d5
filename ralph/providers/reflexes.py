"""What each wish takes: tool calls one after another, and an answer that says only what their results say.

A reflex is a generator: it yields (tool, arguments), is sent the result, and returns its answer. It keeps nothing
between turns, so running it again over the results in the history leads to the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any

from ralph.core.messages import ToolResult
from ralph.providers.grammar import Intent
from ralph.providers.results import fields_of, noted, rows

Ask = tuple[str, dict[str, Any]]
Reflex = Generator[Ask, ToolResult, str]


ANSWERING = {"recall_memories", "vector_db_search_text"}
"""Tools that questions are put to."""


class Failed(Exception):
    """A call was refused or went wrong: one line for the person."""


class Unanswered(Failed):
    """A question nothing was found for."""


def reflex(intent: Intent, known: Callable[[str], bool]) -> Reflex:
    """`known` tells which tools there are."""
    if intent.kind == "ask":
        return _ask(intent.given, known)
    return _REFLEXES[intent.kind](intent.given)


def _call(tool: str, **args: Any) -> Generator[Ask, ToolResult, dict[str, Any]]:
    """The fields of a result. Raises Failed."""
    result = yield tool, {name: value for name, value in args.items() if value is not None}
    fields = fields_of(result.text)
    error = fields.get("error")
    if not result.is_error and not isinstance(error, str):
        return fields
    if "tool" not in fields:
        raise Failed(f"{tool} failed: {error or result.text.strip()[:500]}")
    message = str(fields.get("message", ""))
    advice = "" if error == "operation_denied" or "--allow" in message else fields.get("suggestion")
    raise Failed(f"{tool} was refused ({error}): {message}" + (f"; {advice}" if advice else ""))


def _read(given: Mapping[str, str]) -> Reflex:
    first = int(given["first"]) if "first" in given else None
    last = int(given["last"]) if "last" in given else first
    try:
        fields = yield from _call("read_file", path=given["path"], start_line=first, end_line=last)
    except Failed as failed:
        if first is not None or "is a directory" not in str(failed):
            raise
        return (yield from _list({"path": given["path"]}))
    text = str(fields.get("result", ""))
    note = "" if first is not None else fields.get("note")
    return noted(text, {"note": note}) if text else f"[{fields.get('note') or 'nothing there'}]"


def _head(given: Mapping[str, str]) -> Reflex:
    return _read({"path": given["path"], "first": "1", "last": str(_so_many(given))})


def _so_many(given: Mapping[str, str]) -> int:
    return 1 if "one" in given else max(1, int(given.get("count", 10)))


def _tail(given: Mapping[str, str]) -> Reflex:
    """A long file is read twice: once for its length, once from the line the end begins at."""
    count = _so_many(given)
    fields = yield from _call("read_file", path=given["path"])
    total = _total(fields)
    if total is None:
        lines = str(fields.get("result", "")).splitlines(keepends=True)[-count:]
        return "".join(lines) or "[the file is empty]"
    fields = yield from _call("read_file", path=given["path"], start_line=max(1, total - count + 1))
    return noted(str(fields.get("result", "")), fields)


def _total(fields: Mapping[str, Any]) -> int | None:
    """How many lines the note says the file has; None when the result is the whole file."""
    found = re.search(r"lines \d+-\d+ of ([\d,]+)", str(fields.get("note", "")))
    return int(found[1].replace(",", "")) if found else None


def _count(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("read_file", path=given["path"])
    total = _total(fields)
    if total is None and fields.get("cut"):
        raise Failed(f"{given['path']} is too long to be counted this way; use: run `wc -l {given['path']}`")
    text = str(fields.get("result", ""))
    lines = text.count("\n") + (text != "" and not text.endswith("\n")) if total is None else total
    about = "about " if " about" in str(fields.get("note", "")) else ""
    return f"{given['path']}: {about}{lines:,} line{'' if lines == 1 else 's'}"


def _list(given: Mapping[str, str]) -> Reflex:
    path, flags = given.get("path", "."), given.get("flags", "")
    deep = "R" in flags or bool(given.get("deep"))
    fields = yield from _call(
        "list_dir", path=path, glob_filter=given.get("glob"), recursive=deep or None,
        include_hidden="a" in flags or None,
    )  # fmt: skip
    if (found := rows(fields, "results")) is None:
        return noted(str(fields.get("result", "")), fields)
    lines = [f"{row.get('path')}{'/' if row.get('is_directory') else ''}" for row in found]
    what = f"nothing in {path} fits {given['glob']}" if "glob" in given else f"nothing to list in {path}"
    return noted("\n".join(lines) or f"[{what}]", fields)


def _find(given: Mapping[str, str]) -> Reflex:
    return _list({**given, "deep": "yes"})


def _search(given: Mapping[str, str]) -> Reflex:
    text = given["text"]
    pattern = (
        text[1:-1] if len(text) > 2 and text[0] == text[-1] == "/" else re.sub(r"([][\\.^$*+?{}()|])", r"\\\1", text)
    )
    return (yield from _matches(pattern, given.get("path", "."), loose="loose" in given, sought=text))


def _define(given: Mapping[str, str]) -> Reflex:
    name = given["name"].rpartition(".")[2]
    words = "def|class|func|function|fn|struct|enum|interface|trait|type|const|let|var|module|namespace|define"
    pattern = rf"\b({words})\s+{name}\b|^\s*{name}\s*(:[^=]*)?=[^=]"
    return (yield from _matches(pattern, ".", loose=False, sought=f"a definition of {name}"))


def _matches(pattern: str, path: str, *, loose: bool, sought: str) -> Reflex:
    fields = yield from _call(
        "search_files", path=path, regex_pattern=pattern, case_sensitive=False if loose else None,
    )  # fmt: skip
    if (found := rows(fields, "results")) is None:
        return noted(str(fields.get("result", "")), fields)
    if not found:
        return noted(f"[no match for {sought} in {path}; files searched: {fields.get('files_searched', '?')}]", fields)
    lines = [f"{row.get('file_path')}:{row.get('line_number')}: {row.get('line_content')}" for row in found]
    return noted("\n".join(lines) + ("\n[there are more matches]" if fields.get("truncated") else ""), fields)


def _run(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("shell", command=given["command"])
    parts = [str(fields.get("stdout") or "").rstrip("\n")]
    if errors := str(fields.get("stderr") or "").rstrip("\n"):
        parts.append(f"[stderr]\n{errors}")
    ended = "timed out" if fields.get("timed_out") else f"exit code {fields.get('exit_code', 'unknown')}"
    return f"{noted(chr(10).join(filter(None, parts)), fields)}\n[{ended}]".lstrip("\n")


_GIT = {
    "status": "git status", "diff": "git diff", "changes": "git diff", "changed": "git status",
    "branch": "git branch --show-current",
}  # fmt: skip


def _git(given: Mapping[str, str]) -> Reflex:
    return _run({"command": _GIT.get(given["git"].lower()) or f"git log --oneline -n {given.get('count', '20')}"})


def _write(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("write_file", path=given["path"], content=_line(given.get("text", "")))
    return f"{fields.get('path', given['path'])}: {fields.get('bytes_written', '?')} bytes written"


def _append(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("append_file", path=given["path"], content=_line(given["text"]))
    return f"{fields.get('path', given['path'])}: {fields.get('bytes_appended', '?')} bytes appended"


def _line(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _fetch(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("web_fetch", url=given["url"])
    cut = "\n[the page is longer; this is its beginning]" if fields.get("truncated") else ""
    return noted(str(fields.get("content") or "[the page has no text]") + cut, fields)


def _info(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("file_info", path=given["path"])
    kind = (
        "directory" if fields.get("is_directory") else "file" if fields.get("is_file") else "neither file nor directory"
    )
    link = ", reached by a symbolic link" if fields.get("is_symlink") else ""
    return (
        f"{fields.get('path')}: {kind}{link}, {fields.get('size')} bytes, {fields.get('permissions')}, "
        f"modified {fields.get('modified_time')}"
    )


def _todos() -> Generator[Ask, ToolResult, list[dict[str, Any]]]:
    found = rows((yield from _call("TodoRead")), "tasks")
    if found is None:
        raise Failed("the to-do list could not be read")
    return found


def _todo_list(_given: Mapping[str, str]) -> Reflex:
    marks = {"completed": "x", "in_progress": "~"}
    found = yield from _todos()
    lines = [f"{n}. [{marks.get(row.get('status', ''), ' ')}] {row.get('content')}" for n, row in enumerate(found, 1)]
    return "\n".join(lines) or "[the to-do list is empty]"


def _todo_add(given: Mapping[str, str]) -> Reflex:
    found = yield from _todos()
    fields = yield from _call("TodoWrite", todos=[*found, {"content": given["text"], "status": "pending"}])
    return str(fields.get("result", "")).strip()


def _todo_done(given: Mapping[str, str]) -> Reflex:
    found = yield from _todos()
    number = int(given["number"])
    if not 1 <= number <= len(found):
        raise Failed(f"there is no to-do {number}: the list has {len(found)}")
    found[number - 1]["status"] = "completed"
    fields = yield from _call("TodoWrite", todos=found)
    return str(fields.get("result", "")).strip()


def _todo_clear(_given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("TodoWrite", todos=[])
    return str(fields.get("result", "")).strip()


def _remember(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("remember", content=given["text"])
    return f"{fields.get('message') or 'stored'} (memory {fields.get('memory_id', 'without a number')})"


def _forget(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("forget_memory", memory_id=int(given["number"]))
    return str(fields.get("message") or fields.get("result") or "")


def _recall(given: Mapping[str, str]) -> Reflex:
    fields = yield from _call("recall_memories", query=given["text"])
    return "\n".join(_hits(fields)) or "[nothing is remembered about this]"


def _ask(given: Mapping[str, str], known: Callable[[str], bool]) -> Reflex:
    """A question, looked up in memory and in documents; whether it answers the question is for the person to see."""
    found: list[str] = []
    if known("recall_memories"):
        found += _hits((yield from _call("recall_memories", query=given["text"])))
    if known("vector_db_search_text"):
        found += _hits((yield from _call("vector_db_search_text", index_name="documents", query=given["text"])))
    if not found:
        raise Unanswered("neither memory nor documents say anything about this")
    return "\n".join(["Found, best first:", *found])


def _hits(fields: Mapping[str, Any]) -> list[str]:
    """One line a hit: its text, and where it comes from."""
    lines = []
    for row in rows(fields, "memories") or rows(fields, "results") or ():
        number = row.get("memory_id", row.get("id"))
        given = row.get("metadata")
        meta = given if isinstance(given, Mapping) else {}
        page = row.get("page") or meta.get("page")
        source = meta.get("source") or row.get("source")
        where = [
            f"memory {number}" if "memory_id" in row else f"piece {number}",
            source,
            f"page {page}" if page else "",
        ]
        lines.append(f"- {' '.join(str(row.get('content', '')).split())} ({', '.join(str(w) for w in where if w)})")
    return lines


_REFLEXES: dict[str, Callable[[Mapping[str, str]], Reflex]] = {
    "read": _read, "head": _head, "tail": _tail, "count": _count, "list": _list, "find": _find, "search": _search,
    "define": _define, "run": _run, "git": _git, "write": _write, "append": _append, "fetch": _fetch, "info": _info,
    "todo_list": _todo_list, "todo_add": _todo_add, "todo_done": _todo_done, "todo_clear": _todo_clear,
    "remember": _remember, "recall": _recall, "forget": _forget,
}  # fmt: skip
