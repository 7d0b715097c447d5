"""The system prompt and the tools stay small. Tokens are estimated at 4 characters each: cl100k and o200k take 4.3 to
4.5 of exactly these texts (941 tokens for PROMPT.md, 2,856 for all tools, measured with tiktoken)."""

import json

from ralph.app import make_tools, shipped
from ralph.place import Place


def test_the_prompt_is_under_2500_tokens():
    text = shipped("PROMPT.md").read_text()
    assert len(text) / 4 < 2_500


def test_the_tools_are_under_3500_tokens(tmp_path):
    box, warnings = make_tools(Place(tmp_path, tmp_path, {}))
    schemas = [{"name": s.name, "description": s.description, "parameters": s.parameters} for s in box.specs]
    assert warnings == []
    assert len(json.dumps(schemas, separators=(",", ":"))) / 4 < 3_500


def test_the_prompt_names_only_tools_and_refusals_there_are(tmp_path):
    text = shipped("PROMPT.md").read_text()
    box, _ = make_tools(Place(tmp_path, tmp_path, {}))
    names = {spec.name for spec in box.specs}
    for name in ("search_files", "list_dir", "read_file", "apply_delta", "write_file", "shell", "python", "web_fetch",
                 "TodoWrite"):  # fmt: skip
        assert f"`{name}`" in text
        assert name in names
