"""Find lines in files. ripgrep, where it is installed, only names the files worth a look; Python's `re` then decides.

So the results and the dialect are the same with and without it. For that, what ripgrep is asked must be true of every
file in which Python would find something: the pattern goes to it only when it is made of parts that mean the same to
both, and a file with bytes on which their ideas of letters and spaces may differ always counts as worth a look.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from ralph.errors import ToolError
from ralph.tools.apart import module_argv, run_apart
from ralph.tools.matching import LONGEST
from ralph.tools.walk import SKIPPED, fitting, is_protected, walk

_BINARY = re.compile(
    r"\.(?:exe|dll|so|dylib|a|o|obj|lib|bin|class|jar|war|py[co]|wasm|zip|tar|t?gz|bz2|xz|7z|rar|zst|png|jpe?g|gif|bmp|"
    r"ico|svg|webp|tiff?|mp[34]|avi|mov|mkv|wav|flac|ogg|webm|pdf|docx?|xlsx?|pptx?|odt|db|sqlite3?|ttf|otf|woff2?|eot)$",
    re.IGNORECASE,
)
_ODD = r"(?-u:[\x1c-\x1f\x80-\xff])"
_SAME = re.compile(r"""
    \\[dDwWsSt] | \\[!-/:;=?@\[-^`{-~] | \\[bB] | \$                        # escapes; what stands for a place
    | \[\^?(?: \\[dDwWsSt!-/:;=?@\[-^`{-~] | [^]\\[&~-] | [A-Za-z0-9]-[A-Za-z0-9] )+-?\]   # a plain set
    | \(\?: | \((?!\?) | [)|.^] | [*+?]{1,2} | \{\d{1,3}(?:,\d{0,3})?\}
    | [^\\$\[\](){}|.^*+?\r\n]                                              # a character that is itself
""", re.VERBOSE)  # fmt: skip
_LOOSER = {"$": r"\r*$", r"\b": "", r"\B": ""}


@dataclass(frozen=True, slots=True)
class Found:
    """`rows`: (path relative to the root, line number, line, context). `looked_at` counts files up to the last row.

    more: at least one more line matches. ended: False when time ran out first.
    """

    rows: tuple[tuple[str, int, str, str], ...]
    looked_at: int
    more: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Search:
    """One search below `root` (absolute, resolved), or in its file `only`. `seconds` is for all of it."""

    root: Path
    pattern: str
    only: str | None = None
    glob: str | None = None
    recursive: bool = True
    ignore_case: bool = False
    most: int = 100
    seconds: float = 30.0

    async def run(self, *, rg: str | None) -> Found:
        """rg: the ripgrep program, None to do without. Raises ToolError for an invalid pattern."""
        check_pattern(self.pattern)
        until = time.monotonic() + self.seconds
        files = {self.only: True} if self.only else await self._files(rg, until)
        ordered = sorted(files)
        worth_it = [path for path in ordered if files[path]]
        rows, ended = await self._matches(worth_it, until) if worth_it else ([], True)
        shown = tuple((worth_it[index], number, line, context) for index, number, line, context in rows[: self.most])
        more = len(rows) > self.most
        return Found(shown, ordered.index(shown[-1][0]) + 1 if more else len(ordered), more, ended)

    async def _files(self, rg: str | None, until: float) -> dict[str, bool]:
        """The files to search, and which of them are worth a look."""
        looser = _for_ripgrep(self.pattern, self.ignore_case) if rg and self.recursive else None
        named = await self._ask_ripgrep(rg, looser, until) if rg and looser is not None else None
        if named is None:
            named = await self._walked(until) if self.recursive else dict.fromkeys(_short_files(self.root), True)
        fits = fitting(self.glob)
        return {
            path: worth for path, worth in named.items()
            if fits(path) and not is_protected(path) and not _BINARY.search(path)
        }  # fmt: skip

    async def _ask_ripgrep(self, rg: str, looser: str, until: float) -> dict[str, bool] | None:
        """None when it could not say (an old version, a pattern it does not take)."""
        words = [
            rg, "--no-config", "--no-messages", "--hidden", "--no-require-git", "--no-ignore-dot", "--no-ignore-global",
            "--no-ignore-exclude", "--count", "--include-zero", "--max-count=1", "--text", "--null",
            f"--max-filesize={LONGEST}", *(["--ignore-case"] if self.ignore_case else []), "--glob=!.git",
            *(f"--glob=!**/{name}/" for name in sorted(SKIPPED)), "-e", looser, "-e", _ODD, "./",
        ]  # fmt: skip
        output, status = await run_apart(words, cwd=self.root, timeout=max(until - time.monotonic(), 0.1))
        if status not in (0, 1, 2) or (status == 2 and not output):  # 2 with output: some file was not readable
            return None
        rows = re.findall(rb"(?:\./)?([^\0]+)\0(\d+)\n", output)
        return {os.fsdecode(path): count != b"0" for path, count in rows}

    async def _walked(self, until: float) -> dict[str, bool]:
        import asyncio

        over = False

        def files() -> dict[str, bool]:
            entries = walk(str(self.root), stopped=lambda: over or time.monotonic() > until)
            return {path: True for path, entry in entries if _is_short_file(entry)}

        try:
            return await asyncio.to_thread(files)
        finally:
            over = True  # a thread cannot be ended, but it can be asked

    async def _matches(self, files: list[str], until: float) -> tuple[list[tuple[int, int, str, str]], bool]:
        most = self.most + 1
        wanted = {"root": str(self.root), "pattern": self.pattern, "ignore_case": self.ignore_case, "most": most}
        given = json.dumps(wanted).encode() + b"\n" + b"".join(os.fsencode(file) + b"\0" for file in files)
        output, status = await run_apart(
            module_argv("ralph.tools.matching", site=False), cwd=self.root, given=given,
            timeout=max(until - time.monotonic(), 0.1),
        )  # fmt: skip
        if status:
            raise RuntimeError(f"the search process failed with status {status}")
        return [tuple(json.loads(row)) for row in output.split(b"\n")[:-1]], status == 0


def check_pattern(pattern: str) -> None:
    """Raises ToolError saying where a regular expression is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about spellings that may mean something else in a later Python
            re.compile(pattern)
    except re.error as error:
        at = f" at position {error.pos}" if error.pos is not None else ""
        raise ToolError(f"invalid regular expression {pattern!r:.200}: {error.msg}{at}") from None
    except (OverflowError, RecursionError):
        raise ToolError("the regular expression is too large") from None


def find_ripgrep(path: str | None) -> str | None:
    """The ripgrep program on a search path (as in the variable PATH)."""
    return shutil.which("rg", path=path or os.defpath)


def _for_ripgrep(pattern: str, ignore_case: bool) -> str | None:
    """A pattern for ripgrep that is true of every line of ASCII that Python's is true of, or None."""
    if ignore_case and not pattern.isascii():  # Python takes some letters for each other that ripgrep does not
        return None
    parts, at = [], 0
    while at < len(pattern):
        found = _SAME.match(pattern, at)
        if found is None:
            return None
        parts.append(_LOOSER.get(found[0], found[0]))
        at = found.end()
    return "".join(parts)


def _short_files(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if _is_short_file(entry)]
    except OSError as error:
        raise ToolError(f"cannot search {folder}: {error.strerror}") from None


def _is_short_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size <= LONGEST
    except OSError:
        return False  # gone meanwhile
