"""The system prompt and the tools stay small. Tokens are bounded by characters: no tokenizer packs fewer than 3 of
English or JSON into one on average."""

import json

from ralph.app import make_tools, shipped
from ralph.place import Place
from ralph.tools.python import Interpreter, python_tool
from ralph.tools.todo import Todos, todo_tools


def test_the_prompt_is_under_2500_tokens():
    text = shipped("PROMPT.md").read_text()
    assert len(text) / 3 < 2_500


def test_the_tools_are_under_3500_tokens(tmp_path):
    box, warnings = make_tools(Place(tmp_path, tmp_path, {}), [*todo_tools(Todos()), python_tool(Interpreter())])
    schemas = [{"name": s.name, "description": s.description, "parameters": s.parameters} for s in box.specs]
    assert warnings == []
    assert len(json.dumps(schemas)) / 3 < 3_500


def test_the_prompt_names_only_tools_and_refusals_there_are(tmp_path):
    text = shipped("PROMPT.md").read_text()
    box, _ = make_tools(Place(tmp_path, tmp_path, {}), [*todo_tools(Todos()), python_tool(Interpreter())])
    for name in ("search_files", "list_dir", "read_file", "apply_delta", "write_file", "shell", "python", "web_fetch",
                 "TodoWrite"):  # fmt: skip
        assert f"`{name}`" in text
        assert box.find(name)
