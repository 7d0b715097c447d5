"""Keeps a confinement true to the workspace as it is, and takes away what no child may leave there.

Files that run later, grant rights or hold secrets may appear at any time. Made by the person, they are guarded from the
next child on. Made by a child, they are there while it runs and no longer when its call has ended: they are moved into
the scratch directory. Nothing is deleted, and the model is told.
A name that does not exist could be kept free by a mount, but a mount needs something to lie on, which everybody would
see in the workspace, and trip over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ralph.sandbox.confinement import Confinement, ways
from ralph.sandbox.survey import Found, Sort, Survey


class Guard:
    """`before` every child and `after` it. `others`: all hidden files there are now, with their other (hard) names.

    `tell`: called with a sentence for the person when something was moved. Who made it cannot be seen: what they made
    themselves while a child ran is moved too.

    The first `before` reads the whole workspace (5 ms for 5,000 files), the others what has changed.
    """

    def __init__(
        self, given: Confinement, sort: Sort, others: Callable[[], Iterable[Path]] = tuple,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:  # fmt: skip
        self._base, self._sort, self._others, self._tell = given, sort, others, tell
        self._survey: Survey | None = None
        self._known: dict[str, Found] = {}
        self._given = given
        self._running, self._untold = False, ""

    def before(self) -> Confinement:
        """With all that is to be guarded now. What a child made that nobody waited for is taken away first."""
        if self._survey is None:
            skip = {str(path) for path in (*self._base.hidden, self._base.scratch)}
            self._survey = Survey(str(self._base.workspace), self._sort, skip, set(map(str, ways(self._base))))
            self._given = self._extended(self._survey.found)
        appeared = self._survey.look()
        if self._running:
            self._untold = self._withheld(appeared)
        self._running = self._base.mode == "workspace"
        if appeared or self._survey.found.keys() != self._known.keys():
            self._given = self._extended(self._survey.found)
        return self._given

    def after(self) -> str:
        """What was taken away, for the model; empty when nothing was."""
        if self._survey is None or self._base.mode != "workspace":
            return ""
        told, self._untold = self._untold, ""
        told = " ".join(filter(None, (told, self._withheld(self._survey.look()))))
        self._running = False
        return told

    def close(self) -> None:
        """What was made since the last child ended is the person's."""
        if self._running:
            self.after()

    def _extended(self, now: dict[str, Found]) -> Confinement:
        self._known = now.copy()
        already = {*map(str, (*self._base.reserved, *self._base.frozen))}
        found = [one for one in now.values() if one.path not in already]
        hidden = {*(Path(one.path) for one in found if one.kind == "hidden"), *self._others()}
        hidden.difference_update(self._base.hidden, self._base.reserved)
        return replace(
            self._base, hidden=(*self._base.hidden, *sorted(hidden)),
            kept=(*self._base.kept, *(Path(one.path) for one in found if one.kind == "frozen")),
        )  # fmt: skip

    def _withheld(self, found: list[Found]) -> str:
        moved = []
        for path in (one.path for one in found if one.kind == "new" or not _empty(one.path)):
            name = os.path.relpath(path, self._base.workspace)
            try:
                moved.append(f"{name} (now {withhold(self._base.workspace, name, self._base.scratch)})")
            except FileNotFoundError:  # gone again, or with the directory it was in
                continue
            except OSError as error:
                moved.append(f"{name} (still there: {error.strerror}; tell the user)")
        if not moved:
            return ""
        names = ", ".join(moved)
        self._tell(
            f"moved out of the workspace: {names}. It appeared while code ran in the sandbox, and what has such a name "
            "runs later, grants rights or holds secrets. If it is yours, move it back"
        )
        return (
            "Files that run later, grant rights or hold secrets may not be made from inside the sandbox. Moved out of "
            f"the way: {names}. If one is needed, use write_file, so that the user can be asked."
        )


def _empty(path: str) -> bool:
    """An empty directory does no harm yet, and is guarded from the next child on."""
    try:
        with os.scandir(path) as reading:
            return next(reading, None) is None
    except OSError:  # a file, or one that cannot be looked into
        return False


def withhold(top: Path, name: str, scratch: Path) -> str:
    """Move `name`, relative to `top`, into a new directory in `scratch`; returns where it is now.

    No link is followed, whatever is swapped meanwhile. Where it cannot leave its directory (another file system, no
    rights), it gets a name there that means nothing to any program.
    """
    aside = f"held-back-{os.urandom(4).hex()}"
    *parents, last = Path(name).parts
    with _directory(top, parents) as place:
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            with _directory(scratch, []) as outer:
                os.mkdir(aside, 0o700, dir_fd=outer)
            with _directory(scratch, [aside]) as target:
                os.rename(last, last, src_dir_fd=place, dst_dir_fd=target)
            return str(scratch / aside / last)
        except OSError:
            os.rename(last, f"{last}.{aside}", src_dir_fd=place, dst_dir_fd=place)
            return str(top.joinpath(*parents, f"{last}.{aside}"))


@contextmanager
def _directory(top: Path, below: list[str]) -> Iterator[int]:
    """A descriptor of a directory, reached without links."""
    held = os.open(top, os.O_PATH | os.O_DIRECTORY)
    try:
        for part in below:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = inner
        yield held
    finally:
        os.close(held)
