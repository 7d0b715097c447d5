from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.tools.todo import Todo, Todos, status_line, todo_tools


@pytest.fixture
def use():
    tools = {tool.spec.name: tool for tool in todo_tools(Todos())}

    def use(name, **args):
        assert tools[name].spec.problem_with(args) == ""
        return asyncio.run(tools[name].perform(args, Context("c", Path(), Path())))

    return use


def tasks(use):
    return json.loads(use("TodoRead").text)["tasks"]


def test_a_list_is_replaced_and_read(use):
    output = use("TodoWrite", todos=[
        {"content": "one", "status": "completed", "priority": "high", "id": "x"},
        {"content": "twö", "status": "in_progress"}, {"content": "three"},
    ])  # fmt: skip
    assert output.text == "The to-do list was updated; in progress: twö."
    assert output.display == "1 of 3 done, now: twö"
    assert tasks(use) == [
        {"id": "1", "content": "one", "status": "completed", "priority": "high"},
        {"id": "2", "content": "twö", "status": "in_progress", "priority": "medium"},
        {"id": "3", "content": "three", "status": "pending", "priority": "medium"},
    ]


def test_an_empty_list_clears(use):
    use("TodoWrite", todos=[{"content": "one"}])
    output = use("TodoWrite", todos=[])
    assert (output.text, output.display) == ("The to-do list was cleared.", "the to-do list is empty")
    assert tasks(use) == []


@pytest.mark.parametrize("todos", [
    [{"content": "ok"}, {"content": " "}], [{"content": "x" * 4096}], [{"content": "x"}] * 101,
])  # fmt: skip
def test_a_wrong_list_changes_nothing(use, todos):
    use("TodoWrite", todos=[{"content": "kept"}])
    with pytest.raises(ToolError):
        use("TodoWrite", todos=todos)
    assert [task["content"] for task in tasks(use)] == ["kept"]


def test_each_session_has_its_own_list(use):
    use("TodoWrite", todos=[{"content": "one"}])
    _, read = todo_tools(Todos())
    assert json.loads(asyncio.run(read.perform({}, Context("c", Path(), Path()))).text) == {"tasks": []}


def test_the_schema_says_what_an_item_is():
    write, read = (tool.spec for tool in todo_tools(Todos()))
    assert write.category == read.category == "memory"
    assert "status" in write.problem_with({"todos": [{"content": "x", "status": "doing"}]})
    assert "content" in write.problem_with({"todos": [{}]})


def test_the_status_line_stays_one_short_line():
    line = status_line([Todo("1", "a\n" * 100, "in_progress")])
    assert line.startswith("0 of 1 done, now: a a a")
    assert len(line) < 100
    assert line.endswith("…")
