"""The values that must never be seen: from the environment, the `.env` files of the workspace, and the settings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ralph.config import Config

_NAME = (
    r"(?i)(?:^|_)(?:KEY|APIKEY|TOKEN|SECRET|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|COOKIE|AUTHORIZATION|PAT"
    r"|(?:DB|DATABASE|MYSQL|PG|SMTP|REDIS|USER|ROOT|ADMIN)_?PWD)(?:_?\d+)?(?:$|_)"
)
_NOT_A_VALUE = (
    r"(?i)_(?:FILE|PATH|DIR|URL|URI|NAME|ID|TYPE|TTL|TIMEOUT|EXPIR\w*|SOCK|USER|HOST|PORT|LENGTH|SIZE|ALGORITHM|ALG|PROVIDER"
    r"|HELPER|STORE|PREFIX|HEADER|VERSION|REGION|ENABLED|REQUIRED|FORMAT|MODE)$"
)
_LINE = (
    r"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*"
    r"(?:\"((?:[^\"\\]|\\.)*+)\"|'([^']*+)'|([^\n]*))"
)
_PASSWORD_IN_URL = r"://[^\s:@/]*:([^\s/]+)@"
_HARMLESS = (".example", ".sample", ".template")
_SKIPPED = frozenset({"node_modules", "venv", "__pycache__", "dist", "build", "target", "vendor"})
_LARGEST = 262_144
_SHORTEST = 4


def known_values(env: Mapping[str, str], workspace: Path, config: Config) -> tuple[tuple[str, str], ...]:
    """(name, value) pairs for `Redactor`, without repetitions. Unreadable files are left out."""
    pairs = [*env.items(), *_of_settings(config)]
    for path in env_files(workspace):
        pairs += read_env(path)
    return tuple(dict.fromkeys(secret for name, value in pairs for secret in _secrets(name, value)))


def is_secret_name(name: str) -> bool:
    """True when the name says that the value itself is a secret, not where one is kept."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_")
    return bool(re.search(_NAME, snake)) and not re.search(_NOT_A_VALUE, snake) and "PUBLIC" not in snake.upper()


def env_files(workspace: Path) -> Iterator[Path]:
    """`.env`, `.env.*` and `*.env` in the workspace and one level below, not the example files."""
    below = [workspace, *(Path(entry.path) for entry in _entries(workspace) if _is_folder(entry))]
    for folder in below:
        for entry in _entries(folder):
            named = entry.name == ".env" or entry.name.startswith(".env.") or entry.name.endswith(".env")
            if named and not entry.name.endswith(_HARMLESS) and entry.is_file():
                yield Path(entry.path)


def read_env(path: Path) -> list[tuple[str, str]]:
    """NAME=VALUE lines; quotes taken off, a value with escapes given both ways."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return []
    found = []
    for name, double, single, bare in re.findall(_LINE, text):
        value = double or single or re.sub(r"\s+#.*", "", bare).strip()
        found.append((name, value))
        if "\\" in double:
            found.append((name, double.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")))
    return found


def _of_settings(config: Config) -> Iterator[tuple[str, str]]:
    for item in fields(config):
        value = getattr(config, item.name)
        if isinstance(value, str):
            yield item.name, value
        elif item.name in ("models", "mcpServers"):
            yield from _nested(value)


def _nested(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str):
                yield str(name), item.removeprefix("Bearer ").removeprefix("Basic ")
            else:
                yield from _nested(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _nested(item)


def _secrets(name: str, value: str) -> Iterator[tuple[str, str]]:
    value = value.strip()
    if is_secret_name(name) and len(value) >= _SHORTEST:
        yield name, value
    if (found := re.search(_PASSWORD_IN_URL, value)) and len(found[1]) >= _SHORTEST:
        yield from ((name, password) for password in dict.fromkeys((found[1], unquote(found[1]))))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.name not in _SKIPPED and entry.name[:1] != "." and entry.is_dir(follow_symlinks=False)
