"""What a tool file says about itself, read from its syntax tree. Nothing of the file is executed here.

A tool file `NAME.py` holds a function `NAME`. Its signature gives the parameters, its docstring the description and,
in a Google-style `Args:` section, theirs. Lines `Gate: CATEGORY` and `Match: PARAMETER` are looked for in the module's
docstring, then in the function's. A module-level literal `SCHEMA = {parameter: JSON Schema}` replaces what an
annotation cannot say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError
from ralph.policy.categories import NAMES, STRICTEST

CONTEXT = "ctx"
"""A parameter of this name gets the call's `core.tools.Context` and is no part of the schema."""

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object", "list": "array"}
_SUPPORTED = "use str, int, float, bool, dict, list, list[T], Literal[...] or T | None"
_DIRECTIVE = re.compile(r"^[ \t]*(Gate|Match):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_SECTION = re.compile(r"(Args|Arguments|Returns?|Raises|Yields|Examples?|Notes?):\s*$")
_ENTRY = re.compile(r"(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Described:
    """A tool file as read: `wants_context` when the function takes the call's context."""

    spec: ToolSpec
    wants_context: bool


def describe(path: Path, source: bytes, origin: str) -> Described | None:
    """The tool in a file, or None for a file that only holds code for others (no function of the file's name).

    Raises ConfigError naming file and line for anything that cannot be described.
    """
    try:
        module = ast.parse(source, str(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _problem(path, getattr(error, "lineno", 1) or 1, f"not valid Python: {getattr(error, 'msg', error)}",
                       "correct the file or move it away") from None  # fmt: skip
    function = next((node for node in module.body if isinstance(node, _Function) and node.name == path.stem), None)
    if function is None:
        return None
    docstring = ast.get_docstring(function) or ""
    text, described = _sections(docstring)
    properties: dict[str, Any] = {}
    required = []
    overrides = _overrides(path, module)
    for argument, default in _parameters(path, function):
        schema = overrides.pop(argument.arg, None)
        schema = _annotated(path, argument) if schema is None else dict(schema)
        if (about := described.get(argument.arg)) and "description" not in schema:
            schema["description"] = about
        if default is None:
            required.append(argument.arg)
        elif (value := _literal(path, default)) is not None:
            schema["default"] = value
        properties[argument.arg] = schema
    if overrides:
        raise _problem(path, 1, f"SCHEMA names {', '.join(overrides)}, which is no parameter of {path.stem}", "")
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    category, match = _directives(path, ast.get_docstring(module) or "", docstring, properties)
    spec = ToolSpec(path.stem, text or path.stem, parameters, category, match, origin)
    arguments = (*function.args.args, *function.args.kwonlyargs)
    return Described(spec, any(argument.arg == CONTEXT for argument in arguments))


def _problem(path: Path, line: int, text: str, hint: str) -> ConfigError:
    return ConfigError(f"{path}:{line}: {text}", hint=hint)


def _parameters(path: Path, function: _Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each parameter the model fills in, with the expression of its default (None: required)."""
    arguments = function.args
    for odd in (*arguments.posonlyargs, arguments.vararg, arguments.kwarg):
        if odd is not None:
            raise _problem(path, odd.lineno, f"parameter {odd.arg} cannot be passed by name",
                           "tools take plain named parameters")  # fmt: skip
    absent = [None] * (len(arguments.args) - len(arguments.defaults))
    both = (*zip(arguments.args, [*absent, *arguments.defaults], strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))  # fmt: skip
    return ((argument, default) for argument, default in both if argument.arg != CONTEXT)


def _annotated(path: Path, argument: ast.arg) -> dict[str, Any]:
    if argument.annotation is None:
        raise _problem(path, argument.lineno, f"parameter {argument.arg} has no type", _SUPPORTED)
    schema = _schema(path, argument.annotation)
    if schema is None:
        raise _problem(path, argument.lineno, f"parameter {argument.arg} has the unsupported type "
                       f"{ast.unparse(argument.annotation)}", _SUPPORTED)  # fmt: skip
    return schema


def _schema(path: Path, node: ast.expr) -> dict[str, Any] | None:
    """JSON Schema of an annotation; None when it is not a supported one."""
    if isinstance(node, ast.Name):
        return {"type": _TYPES[node.id]} if node.id in _TYPES else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _optional(path, node)
    if not isinstance(node, ast.Subscript):
        return None
    generic = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
    if generic == "Literal":
        return _choice(path, node.slice)
    if generic == "list":
        items = _schema(path, node.slice)
        return None if items is None else {"type": "array", "items": items}
    return {"type": "object"} if generic == "dict" else None


def _optional(path: Path, node: ast.BinOp) -> dict[str, Any] | None:
    sides = [side for side in (node.left, node.right) if not (isinstance(side, ast.Constant) and side.value is None)]
    schema = _schema(path, sides[0]) if len(sides) == 1 else None
    if schema is None:
        return None
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return {**schema, "type": [schema["type"], "null"]}


def _choice(path: Path, node: ast.expr) -> dict[str, Any] | None:
    values = _literal(path, node)
    values = list(values) if isinstance(values, tuple) else [values]
    kinds = {_TYPES.get(type(value).__name__) for value in values}
    return {"type": kinds.pop(), "enum": values} if len(kinds) == 1 and None not in kinds else None


def _literal(path: Path, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise _problem(path, node.lineno, f"{ast.unparse(node)[:60]} is not a literal value",
                       "defaults, choices and SCHEMA are read without running the file") from None  # fmt: skip


def _overrides(path: Path, module: ast.Module) -> dict[str, Mapping[str, Any]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "SCHEMA" for target in node.targets):
            value = _literal(path, node.value)
            if isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
                return dict(value)
            raise _problem(path, node.lineno, "SCHEMA is not a dict of parameter name to JSON Schema", "")
    return {}


def _directives(path: Path, module: str, function: str, properties: Mapping[str, Any]) -> tuple[str, str | None]:
    found = {**dict(_DIRECTIVE.findall(function)), **dict(_DIRECTIVE.findall(module))}
    category, match = found.get("Gate", STRICTEST), found.get("Match")
    if category not in NAMES:
        raise _problem(path, 1, f"Gate: {category} is not a category", f"use one of {', '.join(NAMES)}")
    if match is not None and match not in properties:
        raise _problem(path, 1, f"Match: {match} is not a parameter of {path.stem}", "")
    return category, match


def _sections(docstring: str) -> tuple[str, dict[str, str]]:
    """(the text before the first section, parameter -> description). Other sections are for people, not the model."""
    text: list[str] = []
    about: dict[str, str] = {}
    section = name = ""
    for line in map(str.strip, docstring.splitlines()):
        if _DIRECTIVE.match(line):
            continue
        if heading := _SECTION.match(line):
            section, name = heading[1], ""
        elif not section:
            text.append(line)
        elif section.startswith("Arg") and line:
            entry = None if line[0] in "-*" else _ENTRY.match(line)
            name, more = (entry[1], entry[2]) if entry else (name, line)
            about[name] = f"{about.get(name, '')} {more}".strip()
    return re.sub(r"\n{2,}", "\n", "\n".join(text)).strip(), about
