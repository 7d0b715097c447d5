"""What `ralph memory ingest` reads: one file, a folder, or a page of the web under the gate's network rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ralph import __version__
from ralph.errors import ConfigError, RalphError, ToolError
from ralph.ingest.readers import kind_of
from ralph.memory.memory import Memory
from ralph.net import NetworkError, WrongAnswer, fetch
from ralph.place import Place
from ralph.policy.network import check_hop, judge_url, overtly_local
from ralph.policy.sensitive import secret
from ralph.tools.documents import Ingested, ingest, read_file
from ralph.tools.walk import is_protected, walk

Progress = Callable[[str, int, int], None]
_MOST_BYTES = 64 * 1024 * 1024  # of a page
_SECONDS = 60.0


async def ingest_any(
    memory: Memory, place: Place, what: str, index: str, scope: str, progress: Progress
) -> tuple[list[Ingested], list[tuple[str, str]]]:
    """(what was stored, [(source, why not)]). Raises RalphError when there is nothing of that name."""
    if what.lower().startswith(("http://", "https://")):
        return [await _ingest_url(memory, what, index, scope, progress)], []
    paths = documents_at(place.cwd / what, what)
    if len(paths) == 1:
        return [await _ingest_file(memory, paths[0], index, scope, progress)], []
    done: list[Ingested] = []
    failed: list[tuple[str, str]] = []
    for number, path in enumerate(paths, 1):
        try:
            done.append(await _ingest_file(memory, path, index, scope, lambda *_: None))
        except RalphError as error:
            failed.append((_shown(path), str(error)))
        progress("reading", number, len(paths))
    return done, failed


def documents_at(path: Path, name: str) -> list[Path]:
    """The file itself, or the documents of a folder. Raises RalphError when there are none."""
    if not name.strip():
        raise ConfigError("there is nothing to take in", hint="give a file, a folder or an http(s) address")
    path = Path(path if name[:1] != "~" else name).expanduser().resolve()
    if path.is_dir():
        found = list(readable_files(path))
        if not found:
            raise ConfigError(f"{name} holds no documents", hint="PDF, Markdown, HTML, source code and text are read")
        return found
    if not path.exists():
        raise ConfigError(f"there is no file {_shown(name)}", hint="give a file, a folder or an http(s) address")
    if not path.is_file():  # a pipe that nobody writes to would be waited for without end
        raise ConfigError(f"{_shown(name)} is no file", hint="save what it gives in one")
    if reason := _off_limits(path):
        raise RalphError(f"{name} is not taken in: {reason}", hint="secrets are not remembered")
    return [path]


async def _ingest_file(memory: Memory, path: Path, index: str, scope: str, progress: Progress) -> Ingested:
    progress(f"reading {path.name}", 0, 1)
    return await ingest(memory, read_file(path), _shown(path), index=index, scope=scope,
                        progress=lambda done, total: progress(f"storing {path.name}", done, total))  # fmt: skip


def _shown(path: Path | str) -> str:
    """As it can be stored and printed: not every name is UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def readable_files(folder: Path) -> Iterator[Path]:
    """The documents of a folder: of a kind that can be read, not hidden, not ignored by git, not a secret."""
    for relative, entry in walk(str(folder)):
        if any(part.startswith(".") for part in Path(relative).parts) or not kind_of(entry.name):
            continue
        holds_something = entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size > 0
        if holds_something and not _off_limits(Path(entry.path)):
            yield Path(entry.path)


def _off_limits(path: Path) -> str:
    if is_protected(str(path)):
        return "it holds settings and keys"
    return secret(os.path.realpath(path))


async def _ingest_url(memory: Memory, url: str, index: str, scope: str, progress: Progress) -> Ingested:
    """The person who typed the address has allowed it; where it leads on to is judged hop by hop."""
    facts = judge_url(url)
    if facts.problems:
        raise RalphError(f"{url}: {facts.problems[0]}", hint="give another address")
    granted = frozenset({facts.origin}) if overtly_local(facts) else frozenset()
    progress("fetching", 0, 1)
    headers = {"User-Agent": f"Ralph/{__version__}", "Accept": "text/html,text/markdown,application/pdf,text/*;q=0.9"}
    try:
        got = await fetch(url, headers=headers, timeout_s=_SECONDS, max_bytes=_MOST_BYTES,
                          check=lambda hop, addresses: check_hop(hop, addresses, granted))  # fmt: skip
    except (NetworkError, WrongAnswer, ToolError) as error:
        raise RalphError(f"cannot fetch {url}: {error}", hint="nothing was stored") from error
    if not 200 <= got.status < 300:
        raise RalphError(f"{url} answered HTTP {got.status}", hint="nothing was stored")
    if got.truncated:
        raise RalphError(f"{url} is larger than {_MOST_BYTES >> 20} MB", hint="download it and give the file")
    return await ingest(memory, got.body, got.url, index=index, scope=scope,
                        content_type=got.headers.get("content-type", ""),
                        progress=lambda done, total: progress("storing", done, total))  # fmt: skip
