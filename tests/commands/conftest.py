import json
from types import SimpleNamespace

import pytest

from ralph.commands import dispatch
from ralph.options import parse


@pytest.fixture
def ralph(tmp_path, capsys, monkeypatch):
    """`ralph(*words)` runs a subcommand in a directory and home of its own: exit code, text, and data of --json."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*words, env=None):
        environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **(env or {})}
        code = dispatch(parse(["--home", str(home), *words]), environ)
        text = capsys.readouterr().out
        rows = [json.loads(line) for line in text.splitlines()] if "--json" in words else None
        return SimpleNamespace(code=code, text=text, data=rows[0] if rows and len(rows) == 1 else rows)

    run.work, run.home = work, home
    return run
