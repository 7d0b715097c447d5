"""`apply_delta`: line operations on one file, or a unified diff over many. All of it is applied, or nothing is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.policy.diffs import FilePatch, parse
from ralph.policy.paths import follow
from ralph.tools.changes import Change, Found, keep_copy, make_all, read
from ralph.tools.files import Style, decode, encode, judged_path
from ralph.tools.hunks import BOM, apply_hunks, split_lines
from ralph.tools.operations import apply_operations


def edit_file(path: str, operations: Sequence[Any], context: Context, *, backup: bool = False) -> dict[str, Any]:
    """Line operations on `path`, judged under the argument name `path`. On ToolError the file is untouched."""
    found = read(judged_path(context, "path", path))
    if found.data is None:
        raise ToolError(f"{path} does not exist: make it with write_file, or with a diff from /dev/null")
    text, style = _decoded(found.data, path)
    after, notes = apply_operations(text, operations)
    copies = [keep_copy(found)] if backup else []
    make_all([Change(found, encode(after, style))])
    entry = {"path": path, "action": "changed", "new_line_count": len(split_lines(after)), "notes": notes}
    return _result(path, len(operations), copies, [entry])


def apply_diff(diff: str, path: str, context: Context, *, backup: bool = False) -> dict[str, Any]:
    """A unified diff; its paths are judged under their own names, exactly as `policy.diffs.touched` gives them.

    On ToolError every file is as it was.
    """
    patches = parse(diff, path)
    _agree(path, patches, context)
    found = _found(patches, context)
    leaving = {patch.source for patch in patches if patch.action in ("deleted", "renamed") and patch.source}
    changes: dict[str, Change] = {name: Change(found[name], None) for name in leaving}
    entries: list[dict[str, Any]] = []
    for patch in patches:
        after, notes = _after(patch, found, leaving)
        entry = {"path": patch.path, "action": patch.action, "hunks": len(patch.hunks), "new_line_count": 0}
        if patch.source and patch.target and patch.source != patch.target:
            entry["from"] = patch.source
        if patch.target:
            changes[patch.target] = after
            entry["new_line_count"] = (after.after or b"").count(b"\n") + (not (after.after or b"\n").endswith(b"\n"))
        entries.append({**entry, "notes": notes})
    copies = [keep_copy(change.found) for change in changes.values() if change.found.data is not None] if backup else []
    make_all(list(changes.values()))
    return _result(path or ".", sum(max(1, len(patch.hunks)) for patch in patches), copies, entries)


def _agree(path: str, patches: Sequence[FilePatch], context: Context) -> None:
    """`path` may be left out; when given it must be the one file the diff is about."""
    if path in ("", "."):
        return
    names = sorted({name for patch in patches for name in (patch.source, patch.target) if name})
    if len(patches) > 1:
        raise ToolError(f"the diff is about {len(patches)} files ({', '.join(names[:5])}): leave path out")
    cwd = str(context.cwd)
    if follow(path, cwd).resolved not in {follow(name, cwd).resolved for name in names}:
        raise ToolError(
            f"the diff is about {patches[0].path!r} but path says {path!r}: leave path out, or make them agree "
            f"(both are relative to {cwd})"
        )


def _found(patches: Sequence[FilePatch], context: Context) -> dict[str, Found]:
    """Every file of the diff as it is now, by its name in the diff."""
    found: dict[str, Found] = {}
    owners: dict[str, str] = {}
    for patch in patches:
        if patch.action in ("deleted", "renamed") and (context.cwd / (patch.source or "")).is_symlink():
            raise ToolError(f"{patch.source} is a symbolic link: a diff here deletes and renames plain files only")
    for name in dict.fromkeys(name for patch in patches for name in (patch.source, patch.target) if name):
        if context.judged and name not in context.judged:
            raise ToolError(f"path_changed: {name} is in the diff but was not judged; nothing was done")
        judged = judged_path(context, name, name)
        if owners.setdefault(judged.resolved, name) != name:
            raise ToolError(f"{owners[judged.resolved]} and {name} are the same file ({judged.resolved}): use one name")
        found[name] = read(judged)
    return found


def _after(patch: FilePatch, found: Mapping[str, Found], leaving: Collection[str]) -> tuple[Change, list[str]]:
    """What becomes of the patch's own path. `leaving`: names that the diff takes away, so that others may have them."""
    here = found[patch.path]
    source = found[patch.source] if patch.source else None
    if source is not None and source.data is None:
        raise ToolError(f"{patch.source} does not exist in the workspace, so it cannot be {patch.action}")
    if patch.target != patch.source and patch.target and here.data is not None and patch.target not in leaving:
        how = "write hunks against it instead of /dev/null" if source is None else "choose another name"
        raise ToolError(f"{patch.target} exists already, so it cannot be {patch.action}: {how}; nothing was changed")
    if source is None or source.data is None:
        text, notes = apply_hunks("", patch.hunks, patch.path)
        return Change(here, encode(text, Style()), None, patch.executable), notes
    mode = source.mode if source is not here else None
    if not patch.hunks and patch.target:
        return Change(here, source.data, mode, patch.executable), []
    text, style = _decoded(source.data, patch.path)
    text, notes = apply_hunks(text, patch.hunks, patch.path)
    if patch.target is None and text:
        left = len(split_lines(text))
        raise ToolError(
            f"the diff deletes {patch.path}, but {left} of its lines would be left: remove them all with '-'"
        )
    return Change(here, encode(text, style) if patch.target else None, mode, patch.executable), notes


def _decoded(data: bytes, name: str) -> tuple[str, Style]:
    """The byte order mark, if any, is part of the text, so that a diff can show and change it."""
    text, style = decode(data, name)
    return (BOM if style.bom else "") + text, replace(style, bom=b"")


def _result(path: str, applied: int, copies: Sequence[str], files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`files` has all there is; `backup_path` and `new_line_count` repeat the only file's."""
    only = len(files) == 1
    result: dict[str, Any] = {
        "success": True, "path": files[0]["path"] if only else path, "operations_applied": applied,
        "backup_path": copies[0] if len(copies) == 1 else list(copies) or None,
        "new_line_count": files[0]["new_line_count"] if only else None,
        "files": [{key: value for key, value in file.items() if value != []} for file in files],
    }  # fmt: skip
    return result
