"""Tool files become tools: described without being executed, run from the very text that was described."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ralph.core.tools import Context, Output, Tool
from ralph.errors import ConfigError
from ralph.tools.schema import CONTEXT, Described, describe

_LONGEST = 1024 * 1024  # bytes of a tool file


def load_folder(path: Path, origin: str) -> tuple[list[Tool], list[str]]:
    """The tools in a folder's `*.py` files by name, and one warning per file that cannot be one.

    A folder that does not exist holds no tools. Files starting with `.` or `_` are left alone.
    """
    tools: list[Tool] = []
    warnings: list[str] = []
    try:
        files = sorted(file for file in path.iterdir() if file.suffix == ".py" and file.name[0] not in "._")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{path}: the tools there cannot be read: {error.strerror}"]
    for file in files:
        try:
            tool = load_file(file, origin)
        except ConfigError as error:
            warnings.append(f"tool file skipped: {error}")
        else:
            tools += [tool] if tool else []
    return tools, warnings


def load_file(path: Path, origin: str) -> Tool | None:
    """One tool file; None when it holds no function of its own name. Raises ConfigError naming file and line."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="make it readable or move it away") from None
    if len(source) > _LONGEST:
        raise ConfigError(f"{path}: {len(source):,} bytes is too long for a tool file", hint="move its data elsewhere")
    described = describe(path, source, origin)
    return None if described is None else Tool(described.spec, _File(path, source, described))


class _File:
    """Keeps the source that was described, so that a file changed since then cannot run under the old description."""

    def __init__(self, path: Path, source: bytes, described: Described) -> None:
        self._path, self._source, self._described = path, source, described
        self._function: Callable[..., Any] | None = None

    async def __call__(self, args: Mapping[str, Any], context: Context) -> Output:
        function = self._function = self._function or self._imported()
        given = whole_numbers(args, self._described.spec.parameters["properties"])
        if self._described.wants_context:
            given[CONTEXT] = context
        if inspect.iscoroutinefunction(function):
            return wrap(await function(**given))
        import asyncio

        return wrap(await asyncio.to_thread(function, **given))

    def _imported(self) -> Callable[..., Any]:
        """The function, from a module of its own that nobody else's names reach."""
        spec = self._described.spec
        module = ModuleType(f"ralph_tool_files.{spec.origin}.{spec.name}")
        module.__file__ = str(self._path)
        code = compile(self._source, str(self._path), "exec", dont_inherit=True)
        sys.modules[module.__name__] = module  # dataclasses and pickle look their module up here
        try:
            exec(code, module.__dict__)  # noqa: S102  # the one place where a tool file runs, behind its permit
        except BaseException:
            del sys.modules[module.__name__]
            raise
        function: Callable[..., Any] = getattr(module, spec.name)
        return function


def whole_numbers(args: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows one kind of number: 3.0 given for an integer becomes 3."""
    def kept(name: str, value: Any) -> Any:
        return int(value) if isinstance(value, float) and "integer" in properties[name].get("type", ()) else value

    return {name: kept(name, value) for name, value in args.items()}


def wrap(value: Any) -> Output:
    """What a tool function returned, as JSON text. A dict with a string `error` is an error result."""
    if isinstance(value, str):
        value = {"result": value, "success": True}
    elif isinstance(value, list):
        value = {"results": value, "success": True}
    elif not isinstance(value, dict):
        value = {"result": str(value), "success": True}
    error = value.get("error")
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isascii():  # lone surrogates (undecodable file names) cannot leave as UTF-8
        text = text.encode("utf-8", "replace").decode("utf-8")
    return Output(text, isinstance(error, str), error if isinstance(error, str) else None)
