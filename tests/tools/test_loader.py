from __future__ import annotations

import asyncio
import json
import threading

import pytest

from ralph.core.tools import Context
from ralph.tools.loader import load_folder, wrap
from ralph.tools.todo import Todos, todo_tools
from tests.tools.called import default_tools


def load(tmp_path, **files):
    for name, source in files.items():
        (tmp_path / f"{name}.py").write_text(source)
    return load_folder(tmp_path, "user")


def result(tool, tmp_path, **args):
    output = asyncio.run(tool.perform(args, Context("c", tmp_path, tmp_path)))
    return json.loads(output.text)


def test_nothing_runs_to_be_described(tmp_path):
    mark = tmp_path / "ran"
    source = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\ndef boom() -> str:\n    return 'done'\n"
    tools, warnings = load(tmp_path, boom=source)
    assert (len(tools), warnings, mark.exists()) == (1, [], False)
    assert result(tools[0], tmp_path) == {"result": "done", "success": True}
    assert mark.exists()


def test_what_was_described_is_what_runs(tmp_path):
    [tool], _ = load(tmp_path, hi="def hi():\n    return 'old'\n")
    load(tmp_path, hi="def hi():\n    return 'new'\n")
    assert result(tool, tmp_path)["result"] == "old"


def test_a_broken_file_is_one_warning(tmp_path):
    good, odd = "def good(): ...", "def odd(x): ..."
    tools, warnings = load(tmp_path, bad="def bad(:", good=good, odd=odd, lib="X = 1", _no="(")
    assert [tool.spec.name for tool in tools] == ["good"]
    assert len(warnings) == 2
    assert f"{tmp_path}/bad.py:1: not valid Python" in warnings[0]
    assert f"{tmp_path}/odd.py:1: parameter x has no type" in warnings[1]


def test_unreadable_files_and_folders(tmp_path):
    (tmp_path / "dir.py").mkdir()
    (tmp_path / "long.py").write_bytes(b"#" * (1024 * 1024 + 1))
    tools, warnings = load_folder(tmp_path, "user")
    assert tools == []
    assert "directory" in warnings[0]
    assert "too long" in warnings[1]
    assert load_folder(tmp_path / "none", "user") == ([], [])
    assert "Not a directory" in load_folder(tmp_path / "long.py", "user")[1][0]


def test_each_file_has_a_namespace_of_its_own(tmp_path):
    source = (
        "X = {0}\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = X\n"
        "def {1}():\n    return str(P().x)\n"
    )
    tools, _ = load(tmp_path, a=source.format(1, "a"), b=source.format(2, "b"))
    assert [result(tool, tmp_path)["result"] for tool in tools] == ["1", "2"]
    assert [tool.spec.origin for tool in tools] == ["user", "user"]


def test_async_is_awaited_and_plain_runs_in_a_thread(tmp_path):
    tools, _ = load(
        tmp_path,
        a="import threading\nasync def a():\n    return threading.current_thread().name\n",
        b="import threading\ndef b():\n    return threading.current_thread().name\n",
    )
    assert result(tools[0], tmp_path)["result"] == threading.main_thread().name
    assert result(tools[1], tmp_path)["result"] != threading.main_thread().name


def test_the_context_is_passed(tmp_path):
    [tool], _ = load(tmp_path, here="def here(x: int, *, ctx):\n    return f'{ctx.cwd} {x!r}'\n")
    assert result(tool, tmp_path, x=3.0)["result"] == f"{tmp_path} 3"


def test_an_import_that_fails_fails_each_time(tmp_path):
    [tool], _ = load(tmp_path, bad="import no_such_module\ndef bad(): ...\n")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_module"):
            result(tool, tmp_path)


@pytest.mark.parametrize(("value", "text", "is_error"), [
    ("hé", '{"result": "hé", "success": true}', False),
    ([1], '{"results": [1], "success": true}', False),
    (None, '{"result": "None", "success": true}', False),
    ({"a": 1}, '{"a": 1}', False),
    ({"error": "no"}, '{"error": "no"}', True),
    ({"error": None}, '{"error": null}', False),
    ("\udcff", '{"result": "?", "success": true}', False),
])  # fmt: skip
def test_wrapping(value, text, is_error):
    output = wrap(value)
    assert (output.text, output.is_error) == (text, is_error)


def test_the_schemas_of_all_tools_stay_small():
    specs = [*(tool.spec for tool in default_tools().values()), *(tool.spec for tool in todo_tools(Todos()))]
    sent = [{"name": spec.name, "description": spec.description, "input_schema": spec.parameters} for spec in specs]
    assert len(specs) == 11
    assert len(json.dumps(sent)) < 10_000  # about 2,500 tokens; `python` joins them
