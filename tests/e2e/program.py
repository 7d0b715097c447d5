"""The real program as a child process, with a home and a directory of its own and a scripted model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


class Program:
    """`ralph` in a throw-away HOME. `script` gives the model its lines."""

    def __init__(self, tmp_path: Path) -> None:
        self.cwd = tmp_path / "work"
        self.home = tmp_path / "home"
        self.cwd.mkdir()
        self.home.mkdir()
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "PYTHONPATH": str(Path.cwd()),
        }  # fmt: skip
        self._scripts = 0

    def script(self, *steps: dict) -> list[str]:
        self._scripts += 1
        path = self.home / f"script{self._scripts}.json"
        path.write_text(json.dumps(steps))
        return ["-m", f"scripted:{path}"]

    def argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "ralph", *args]

    def run(self, *args: str, stdin: str | bytes | None = None, env: dict | None = None, timeout: float = 30):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            self.argv(*args), cwd=self.cwd, env={**self.env, **(env or {})}, capture_output=True, timeout=timeout,
            start_new_session=True, **({"stdin": subprocess.DEVNULL} if data is None else {"input": data}),
        )  # fmt: skip
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *args: str, **options):
        return subprocess.Popen(
            self.argv(*args), cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, **options,
        )  # fmt: skip

    def lines(self, *args: str, **options):
        """The JSON lines of a --json run, and the finished process."""
        done = self.run("--json", *args, **options)
        return [json.loads(line) for line in done.stdout.splitlines()], done


def calls(name: str, **args: object) -> dict:
    return {"calls": [{"name": name, "args": args}]}
