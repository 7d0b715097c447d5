from __future__ import annotations

from pathlib import Path

import pytest

from ralph.errors import ConfigError
from ralph.tools.schema import describe

FILE = Path("/tools/greet.py")


def spec(source: str):
    described = describe(FILE, source.encode(), "user")
    assert described is not None
    return described.spec


def parameters(signature: str) -> dict:
    return spec(f"def greet({signature}):\n    pass\n").parameters


@pytest.mark.parametrize(("annotation", "schema"), [
    ("str", {"type": "string"}),
    ("int", {"type": "integer"}),
    ("float", {"type": "number"}),
    ("bool", {"type": "boolean"}),
    ("dict", {"type": "object"}),
    ("dict[str, int]", {"type": "object"}),
    ("list", {"type": "array"}),
    ("list[int]", {"type": "array", "items": {"type": "integer"}}),
    ("list[dict]", {"type": "array", "items": {"type": "object"}}),
    ("list[list[str]]", {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
    ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}),
    ("typing.Literal[1]", {"type": "integer", "enum": [1]}),
    ("str | None", {"type": ["string", "null"]}),
    ("None | list[str]", {"type": ["array", "null"], "items": {"type": "string"}}),
    ("Literal['a'] | None", {"type": ["string", "null"], "enum": ["a", None]}),
])  # fmt: skip
def test_annotations(annotation, schema):
    assert parameters(f"x: {annotation}") == {
        "type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False,
    }  # fmt: skip


@pytest.mark.parametrize("signature", [
    "x", "x: bytes", "x: str | int", "x: Optional[str]", "x: Literal[1, 'a']", "x: list[bytes]", "x: 'str'", "x: a.str",
    "*xs: str", "**xs: str", "x: str, /", "x: int = limit", "x: Literal[NAME]", "x: str | None | int",
])  # fmt: skip
def test_what_cannot_be_said_names_file_and_line(signature):
    with pytest.raises(ConfigError, match=r"^/tools/greet\.py:2: "):
        spec(f"# first\ndef greet({signature}):\n    pass\n")


def test_defaults_make_optional():
    schema = parameters("a: str, b: int = 3, *, c: bool = False, d: str | None = None, e: float")
    assert schema["required"] == ["a", "e"]
    assert {name: row.get("default", "none") for name, row in schema["properties"].items()} == {
        "a": "none", "b": 3, "c": False, "d": "none", "e": "none",
    }  # fmt: skip


def test_the_context_is_no_parameter():
    described = describe(FILE, b"async def greet(x: str, *, ctx: Context): ...", "user")
    assert described is not None
    assert described.wants_context
    assert list(described.spec.parameters["properties"]) == ["x"]


def test_docstrings():
    greet = spec('''
"""Module.

Gate: file_read
Match: who
"""
def greet(who: str, how: list, often: int = 1):
    """Say hello
    to somebody.

    Gate: shell
    Twice if need be.

    Args:
        who (str): The person:
            a name.
        how: Ways, such as
            - waving: with a hand
            - bowing

        often: Times.

    Returns:
        much: nothing
    """
''')
    assert (greet.category, greet.match) == ("file_read", "who")
    assert greet.description == "Say hello\nto somebody.\nTwice if need be."
    described = {name: row["description"] for name, row in greet.parameters["properties"].items()}
    assert described == {
        "who": "The person: a name.", "how": "Ways, such as - waving: with a hand - bowing", "often": "Times.",
    }  # fmt: skip


def test_a_missing_gate_is_the_strictest():
    assert (spec("def greet(): ...").category, spec("def greet(): ...").match) == ("shell", None)


def test_directives_of_the_function_count_when_the_module_has_none():
    assert spec('def greet():\n    """Hi.\n\n    Gate: memory\n    """').category == "memory"


@pytest.mark.parametrize("directive", ["Gate: everything", "Gate:", "Match: nobody"])
def test_wrong_directives_are_errors(directive):
    with pytest.raises(ConfigError, match=directive.rstrip(":")):
        spec(f'"""{directive}"""\ndef greet(who: str): ...')


def test_a_schema_of_its_own():
    greet = spec('SCHEMA = {"x": {"type": "array", "items": {"enum": [1]}}}\ndef greet(x: object = ()): ...')
    assert greet.parameters["properties"]["x"] == {"type": "array", "items": {"enum": [1]}, "default": ()}


@pytest.mark.parametrize("schema", ["{'y': {}}", "{'x': 3}", "make()", "[]"])
def test_a_wrong_schema_is_an_error(schema):
    with pytest.raises(ConfigError):
        spec(f"SCHEMA = {schema}\ndef greet(x: str): ...")


def test_a_file_without_its_function_is_no_tool():
    assert describe(FILE, b"def other(): ...", "user") is None


@pytest.mark.parametrize("source", [b"def greet(:", b"\xff\xfe", b"x = '\0'", b"(" * 1000, b"1" + b"+1" * 100_000])
def test_unreadable_source(source):
    with pytest.raises(ConfigError, match=r"greet\.py:\d+: not valid Python"):
        describe(FILE, source, "user")
