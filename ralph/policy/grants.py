"""What a person allowed on the way: for some uses, some minutes, this session, this project, or for good."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from ralph.errors import ConfigError, StoreError
from ralph.policy.allowlist import Entry, read_entry

Scope = Literal["session", "project", "user"]
_OWN_KEYS = ("scope", "uses", "minutes")
_LONGEST = 10 * 366 * 24 * 60  # minutes: what is meant for longer is meant for good


@dataclass(frozen=True, slots=True)
class Grant:
    """`rule` is an allowlist row. given, expires: seconds since the epoch. uses: how many are left. None: no such end.

    workspace: the only directory a project grant holds in. origin: who gave it.
    """

    id: int
    rule: Mapping[str, Any]
    scope: Scope = "session"
    origin: str = "person"
    expires: float | None = None
    uses: int | None = None
    workspace: str = ""
    given: float | None = None

    @property
    def entry(self) -> Entry:
        return read_entry(self.rule, f"grant {self.id}")


def read_grant(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The allowlist row in a rule that may also say `scope`, `uses` and `minutes`. Raises ConfigError for a bad one."""
    scope, uses, minutes = (rule.get(key) for key in _OWN_KEYS)
    if scope not in (None, "session", "project", "user"):
        raise ConfigError(f"a grant cannot be for {scope!r}", hint="session, project or user")
    if uses is not None and not (_is_number(uses) and isinstance(uses, int) and uses > 0):
        raise ConfigError("a grant's uses are a whole number above zero")
    if minutes is not None and not (_is_number(minutes) and 0 < minutes <= _LONGEST):
        raise ConfigError("a grant's minutes are a number above zero, at most ten years")
    plain = {key: value for key, value in rule.items() if key not in _OWN_KEYS}
    read_entry(plain, "grant")
    return plain


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class GrantStore(Protocol):
    """Where project and user grants outlive the process. `change` holds a lock while the rows are replaced."""

    def load(self) -> list[dict[str, Any]]: ...

    def change(self, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None: ...


class Grants:
    """The grants in force. Ids are small numbers a person can type; a kept grant has the same id in every process."""

    def __init__(
        self, workspace: str, store: GrantStore | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self.workspace, self.store, self.now = workspace, store, now
        self._session: list[Grant] = []
        self._last = 0

    def add(self, rule: Mapping[str, Any], *, origin: str = "person") -> Grant:
        """`rule` is a row plus, if wanted, `scope`, `uses` and `minutes`. Raises ConfigError for a bad one."""
        plain = read_grant(rule)
        scope, minutes, now = rule.get("scope", "session"), rule.get("minutes"), self.now()
        grant = Grant(
            0, plain, scope, origin, now + minutes * 60 if minutes else None, rule.get("uses"),
            self.workspace if scope == "project" else "", now,
        )  # fmt: skip
        return self._keep(grant) if scope != "session" else self._hold(grant)

    def list(self, *, everywhere: bool = False) -> tuple[Grant, ...]:
        """Session grants first; what has expired or is used up is not among them. everywhere: other projects' too."""
        kept = [_load(row) for row in self.store.load()] if self.store else []
        return tuple(grant for grant in (*self._session, *kept) if self._alive(grant, everywhere=everywhere))

    def revoke(self, number: int) -> bool:
        """False when there is no such grant. Holds from the next call on, in every process that shares the store."""
        found = any(grant.id == number for grant in self.list(everywhere=True))
        self._session = [grant for grant in self._session if grant.id != number]
        if self.store and any(row["id"] == number for row in self.store.load()):
            self.store.change(lambda rows: [row for row in rows if row["id"] != number])
        return found

    def use(self, grant: Grant) -> bool:
        """Count one use; False when another process took the last one."""
        if grant.uses is None:
            return True
        if grant.scope == "session":
            self._session = [_less(item) if item.id == grant.id else item for item in self._session]
            return True
        taken: list[int] = []

        def spend(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            for row in rows:
                if row["id"] == grant.id and row["uses"] > 0:
                    row["uses"] -= 1
                    taken.append(row["uses"])
            return rows

        if self.store:
            self.store.change(spend)
        return bool(taken)

    def _alive(self, grant: Grant, *, everywhere: bool = False) -> bool:
        here = everywhere or grant.scope != "project" or grant.workspace == self.workspace
        fresh = grant.expires is None or self.now() < grant.expires
        return here and fresh and (grant.uses is None or grant.uses > 0)

    def _hold(self, grant: Grant) -> Grant:
        self._last += 1
        held = replace(grant, id=self._last)
        self._session.append(held)
        return held

    def _keep(self, grant: Grant) -> Grant:
        if self.store is None:
            raise ConfigError(f"there is nowhere to keep a {grant.scope} grant", hint="grant it for the session")
        made: list[Grant] = []

        def append(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            number = max([100, *(row["id"] for row in rows)]) + 1  # above the session's, so that an id names one grant
            made.append(replace(grant, id=number))
            return [*rows, _dump(made[-1])]

        self.store.change(append)
        return made[-1]


def _less(grant: Grant) -> Grant:
    return replace(grant, uses=None if grant.uses is None else grant.uses - 1)


def _dump(grant: Grant) -> dict[str, Any]:
    return {name: getattr(grant, name) for name in grant.__dataclass_fields__}


def _load(row: Mapping[str, Any]) -> Grant:
    grant = Grant(**row)
    if not all(value is None or _is_number(value) for value in (grant.expires, grant.uses, grant.given)):
        raise TypeError(f"grant {grant.id}: expires, uses and given are numbers")
    return grant


class GrantFile:
    """Grants as JSON in `<home>/grants.json`, mode 0600, replaced whole under a lock, read again when it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._rows: list[dict[str, Any]] = []

    def load(self) -> list[dict[str, Any]]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return []
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark != self._seen:
            self._rows = self._read()
            self._seen = mark
        return self._rows

    def change(self, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        with self._locked():
            rows = edit([dict(row) for row in self._read()])
            spare = self.path.with_suffix(f".{os.getpid()}.new")
            try:
                handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(rows, file, ensure_ascii=False, indent=1)
                    file.flush()
                    os.fsync(file.fileno())
                spare.replace(self.path)
            except OSError as error:
                raise StoreError(f"{self.path}: the grant was not kept ({error.strerror})") from error
            self._seen = None

    def _read(self) -> list[dict[str, Any]]:
        try:
            rows = json.loads(self.path.read_text("utf-8"))
            [_load(row).entry for row in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, ConfigError) as error:
            hint = "move it away to start without grants"
            raise StoreError(f"{self.path} cannot be read ({error})", hint=hint) from error
        return list(rows)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.path.with_suffix(".lock"), timeout=5):
                yield
        except Timeout as error:
            raise StoreError(f"{self.path} is locked by another process", hint="try again") from error
