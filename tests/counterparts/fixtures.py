"""Programs nobody here wrote, made ready once per machine: their environment, the model files, a running server.

Everything is kept in `$RALPH_COUNTERPARTS` or `<cache>/ralph-tests`, outside the repository. Where it cannot be made, a
person's tests skip with the reason and CI (`CI=true`) fails. Import the fixtures into a `conftest.py` to use them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

HERE = Path(__file__).parent


def cache() -> Path:
    """Where counterparts are kept; pinned versions and this interpreter are part of the name."""
    given = os.environ.get("RALPH_COUNTERPARTS")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ralph-tests"
    pins = (HERE / "requirements.txt").read_bytes()
    tag = f"{sysconfig.get_python_version()}-{sysconfig.get_platform()}-{hashlib.sha256(pins).hexdigest()[:12]}"
    return base / tag


def install(home: Path) -> Path:
    """The counterparts' interpreter, its packages installed. Raises OSError or SubprocessError."""
    home.mkdir(parents=True, exist_ok=True)
    python, ready = home / "venv/bin/python", home / "ready"
    with FileLock(home / "lock"):
        if not ready.exists():
            shutil.rmtree(home / "venv", ignore_errors=True)
            venv.create(home / "venv", with_pip=True)
            _run(python, "-m", "pip", "install", "-q", "--no-input", "-r", HERE / "requirements.txt")
            ready.touch()
    return python


def make_model(home: Path, python: Path, *options: str) -> Path:
    """A model file for `serve`, made anew when its recipe changes."""
    recipe = HERE / "make_model.py"
    digest = hashlib.sha256(recipe.read_bytes() + " ".join(options).encode()).hexdigest()[:12]
    path = home / f"model-{digest}.gguf"
    with FileLock(home / "lock"):
        if not path.exists():
            _run(python, recipe, path.with_suffix(".new"), *options)
            path.with_suffix(".new").rename(path)
    return path


@contextmanager
def serve(python: Path, model: Path) -> Iterator[str]:
    """A llama.cpp server on a free loopback port: its address, without a slash at the end."""
    command = [python, HERE / "serve_model.py", model]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            url = (server.stdout.readline() if server.stdout else "").strip()
            if not url.startswith("http://127.0.0.1:"):
                log.seek(0)
                raise OSError(f"the model server did not start: {log.read()[-500:]}")
            with urllib.request.urlopen(f"{url}/health", timeout=20):
                yield url
        finally:
            server.kill()
            server.communicate()


@contextmanager
def or_skip() -> Iterator[None]:
    """A counterpart that cannot be had: the reason to skip, in CI a failure."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", b"") or b""
        reason = f"no counterpart: {error} {told.decode(errors='replace')[-500:]}".strip()
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _run(python: Path, *words: str | Path) -> None:
    subprocess.run([python, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)


@pytest.fixture(scope="session")
def counterpart_python() -> Path:
    """Interpreter of the environment with xllamacpp and the `openai` and `anthropic` SDKs."""
    with or_skip():
        return install(cache())
    raise AssertionError  # or_skip has left the test


def _served(python: Path, *options: str) -> Iterator[str]:
    with ExitStack() as stack:
        with or_skip():
            url = stack.enter_context(serve(python, make_model(cache(), python, *options)))
        yield url


@pytest.fixture(scope="session")
def llama_server(counterpart_python: Path) -> Iterator[str]:
    """Calls the offered tool that starts with "l" (else any), and after its result says "done all good tests pass."."""
    yield from _served(counterpart_python)


@pytest.fixture(scope="session")
def noise_server(counterpart_python: Path) -> Iterator[str]:
    """Says mostly what is no UTF-8, and never stops by itself."""
    yield from _served(counterpart_python, "--noise")
