"""Unified diffs, plain or git's: what a patch says, before anybody decides or does anything about it.

The gate, the screen and the `apply_delta` tool read a diff with this one parser, so what is judged and shown is what is
applied. Strict: whatever is not understood raises ToolError and names the line of the diff. The only leniency is for
the counts in a hunk's header, which models often get wrong: the body decides when it can be read in one way only.

Formats: "Unified Format" in the GNU diffutils manual; "Generating patch text with -p" in git-diff(1).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ralph.errors import ToolError
from ralph.policy.diff_hunks import Hunk, ends, opens_file, read_hunk, skip_blank
from ralph.policy.diff_names import NOWHERE, PREFIXES, bare, halves, usable, written, wrong


@dataclass(frozen=True, slots=True)
class FilePatch:
    """One file of a diff. `source` None: it is created. `target` None: it is deleted. `executable` None: mode kept."""

    source: str | None
    target: str | None
    hunks: tuple[Hunk, ...] = ()
    executable: bool | None = None
    copied: bool = False

    @property
    def path(self) -> str:
        return self.target or self.source or ""

    @property
    def action(self) -> str:
        """`created`, `deleted`, `copied`, `renamed` or `changed`."""
        if self.source is None or self.target is None:
            return "created" if self.source is None else "deleted"
        if self.copied:
            return "copied"
        return "changed" if self.source == self.target else "renamed"


@dataclass(frozen=True, slots=True)
class Touched:
    """`path` as the diff names it, without its a/ or b/, relative to the workspace or absolute."""

    path: str
    action: Literal["reads", "writes", "deletes"]


def touched(text: str, path: str = "") -> tuple[Touched, ...]:
    """Every path the diff reads, writes or deletes, in its order; a renamed file's old name counts as deleted."""
    found: list[Touched] = []
    for patch in parse(text, path):
        if patch.source is not None and patch.source != patch.target:
            found.append(Touched(patch.source, "reads" if patch.copied else "deletes"))
        if patch.target is not None:
            found.append(Touched(patch.target, "writes"))
    return tuple(found)


def parse(text: str, path: str = "") -> tuple[FilePatch, ...]:
    """The files of a diff, in its order. `path` names the file of a diff that has hunks and no header at all."""
    scan = _Scan(text)
    patches: list[FilePatch] = []
    if scan.line.startswith("@@ ") and path not in ("", "."):
        only = usable(path, 1)
        patches.append(FilePatch(only, only, scan.hunks(git=False)))
    else:
        scan.skip_preamble()
    while not ends(scan.lines, scan.at):
        patches.append(scan.file())
    for names in ([p.target for p in patches], [p.source for p in patches if not p.copied]):
        for name, count in Counter(names).items():
            if name is not None and count > 1:
                raise ToolError(f"the diff has two parts for {name}: put all its hunks under one header")
    return tuple(patches)


_EXTENDED = (
    "old mode", "new mode", "deleted file mode", "new file mode", "copy from", "copy to", "rename from", "rename to",
    "similarity index", "dissimilarity index", "index",
)  # fmt: skip
_LINKS = {"120": "a symbolic link", "160": "a submodule"}


class _Scan:
    """The lines of a diff and where the reader is; `at` counts from 0, messages count from 1."""

    def __init__(self, text: str) -> None:
        lines = text.removesuffix("\n").split("\n")
        if all(line.endswith("\r") for line in lines):  # the diff itself was saved with CRLF
            lines = [line[:-1] for line in lines]
        self.lines = lines
        self.at = skip_blank(lines, 0)

    @property
    def line(self) -> str:
        return self.lines[self.at] if self.at < len(self.lines) else ""

    def skip_preamble(self) -> None:
        """A commit message or other prose may stand before the first header, nowhere else."""
        while self.at < len(self.lines) and not opens_file(self.lines, self.at):
            if self.line.startswith(("diff --cc ", "diff --combined ", "@@ ")):
                break
            self.at += 1
        if self.line.startswith("diff --c"):
            raise wrong(self.at + 1, "the combined diff of a merge cannot be applied: make one against a single parent")
        if not opens_file(self.lines, self.at):
            raise ToolError(
                "the diff holds no file header: begin each file with '--- a/PATH' and '+++ b/PATH' on two lines "
                "(or 'diff --git a/PATH b/PATH'), then '@@ -START,COUNT +START,COUNT @@'"
            )

    def file(self) -> FilePatch:
        if self.line.startswith("diff --git "):
            return self._git_file()
        if not opens_file(self.lines, self.at):
            raise wrong(self.at + 1, f"expected another hunk or file header, not {self.line[:60]!r}; "
                                     "a line of a hunk begins with ' ', '+' or '-'")  # fmt: skip
        at, named = self.at + 1, self._named()
        source, target = bare(*named)
        if NOWHERE not in named and source != target:
            raise wrong(at, f"the names {source!r} and {target!r} differ: name the same file twice, "
                            "or write git's 'diff --git', 'rename from' and 'rename to' lines")  # fmt: skip
        return _patch(source, target, at, self.hunks(git=False), {})

    def _named(self) -> tuple[str, str]:
        """Read the `---` and `+++` lines: both names as written."""
        old = written(self.line[4:], self.at + 1)
        self.at += 1
        if not self.line.startswith("+++ "):
            raise wrong(self.at + 1, "expected the '+++' line that belongs to the '---' line above")
        self.at += 1
        return old, written(self.lines[self.at - 1][4:], self.at)

    def _git_file(self) -> FilePatch:
        at = self.at + 1
        pair = halves(self.line[len("diff --git ") :], at)
        self.at += 1
        extended = self._extended()
        moved = _moved(extended)
        source, target = moved or bare(*pair)
        if not source or (source != target and not moved):
            raise wrong(at, "which file? write 'diff --git a/PATH b/PATH', or add 'rename from' and 'rename to'")
        spellings = [(source, target), pair, *((old + source, new + target) for old, new in PREFIXES)]
        if self.line.startswith(("GIT binary patch", "Binary files ")):
            raise wrong(self.at + 1, f"{target} is binary, which a text diff cannot change: leave it out")
        source = NOWHERE if "new file mode" in extended else source
        target = NOWHERE if "deleted file mode" in extended else target
        hunks: tuple[Hunk, ...] = ()
        if self.line.startswith("--- "):
            old, new = self._named()
            if not any(old in (NOWHERE, left) and new in (NOWHERE, right) for left, right in spellings):
                raise wrong(self.at - 1, f"{old!r} and {new!r} do not agree with the 'diff --git' line {at}")
            source, target = (old if old == NOWHERE else source), (new if new == NOWHERE else target)
            hunks = self.hunks(git=True)
        return _patch(source, target, at, hunks, extended)

    def _extended(self) -> dict[str, str]:
        """The header lines between `diff --git` and `---`; names without their quotes, modes of plain files only."""
        found: dict[str, str] = {}
        while key := next((key for key in _EXTENDED if self.line.startswith(key + " ")), ""):
            self.at += 1
            value = self.lines[self.at - 1][len(key) + 1 :]
            found[key] = written(value, self.at) if key.endswith((" from", " to")) else value.strip()
            mode = value.strip() if "mode" in key else value.partition(" ")[2].strip() if key == "index" else ""
            if mode and not re.fullmatch(r"100[0-7]{3}", mode):
                raise wrong(self.at, f"{_LINKS.get(mode[:3], 'mode ' + mode[:20])} cannot be changed by a diff here")
        return found

    def hunks(self, *, git: bool) -> tuple[Hunk, ...]:
        found: list[Hunk] = []
        while self.line.startswith("@@") or not found:
            hunk, self.at = read_hunk(self.lines, min(self.at, len(self.lines) - 1), git=git)
            found.append(hunk)
        return tuple(sorted(found, key=lambda hunk: hunk.old_start))


def _moved(extended: Mapping[str, str]) -> tuple[str, str] | None:
    for word in ("rename", "copy"):
        if f"{word} from" in extended and f"{word} to" in extended:
            return extended[f"{word} from"], extended[f"{word} to"]
    return None


def _patch(source: str, target: str, at: int, hunks: tuple[Hunk, ...], extended: Mapping[str, str]) -> FilePatch:
    if source == target == NOWHERE:
        raise wrong(at, "both names are /dev/null")
    mode = extended.get("new mode") or extended.get("new file mode")
    patch = FilePatch(
        None if source == NOWHERE else usable(source, at), None if target == NOWHERE else usable(target, at), hunks,
        int(mode, 8) & 0o100 != 0 if mode else None, "copy from" in extended,
    )  # fmt: skip
    if patch.action == "changed" and not hunks and patch.executable is None:
        raise wrong(at, f"nothing is said about {patch.path}: add hunks, or leave it out")
    if patch.action == "created" and any(hunk.old for hunk in hunks):
        raise wrong(hunks[0].at, f"{patch.path} is new (/dev/null), so its hunk may only have lines with '+'")
    if patch.action == "deleted" and any(hunk.new for hunk in hunks):
        raise wrong(hunks[0].at, f"{patch.path} is deleted (/dev/null), so its hunk may only have lines with '-'")
    return patch
