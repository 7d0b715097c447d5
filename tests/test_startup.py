"""What is not loaded: start-up is a feature, asserted on sys.modules and never on a clock."""

import json
import subprocess
import sys

HEAVY = {
    "asyncio", "httpx", "rich", "prompt_toolkit", "numpy", "hnswlib", "mcp", "pypdf", "jsonschema", "bashlex", "typer",
}  # fmt: skip


def loaded(code, *argv, env=None):
    """Top-level modules in sys.modules after `code`, in a fresh interpreter."""
    script = f"import sys\n{code}\nimport json\nsys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def test_the_command_line_alone_is_light():
    assert loaded("import ralph.cli").isdisjoint(HEAVY | {"dataclasses", "json_", "sqlite3", "subprocess", "ssl"})


def test_a_scripted_job_loads_no_screen_and_no_index(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"calls": [{"name": "read_file", "args": {"path": "a.txt"}}]}, {"text": "hi"}]))
    (tmp_path / "a.txt").write_text("A")
    code = f"""
import os
os.chdir({str(tmp_path)!r})
from ralph.options import parse
from ralph.start import run
assert run(parse(["--home", {str(tmp_path / "home")!r}, "-m", {f"scripted:{script}"!r}, "go"])) == 0
"""
    found = loaded(code)
    assert found.isdisjoint(HEAVY - {"asyncio"}), found & HEAVY
