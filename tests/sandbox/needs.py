"""What these tests need of the machine: missing on a person's machine it is a skip with the reason, in CI a failure."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ralph.sandbox.backends import Backend
from ralph.sandbox.box import Sandbox
from ralph.sandbox.bubblewrap import installed
from ralph.sandbox.check import available
from ralph.sandbox.confinement import Confinement, Mode, confine
from ralph.sandbox.report import Report, Row

READY = Report("bubblewrap", (Row("outside", "held"),), ready=True)
"""As if the probe had found that children may be kept ready."""


def need(backend: Backend) -> None:
    if backend not in available(with_bubblewrap=installed()):
        missing(f"{backend.name} is not available on this machine")


def missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def kind(tmp_path: Path, mode: Mode = "workspace", *, network: bool = False) -> Confinement:
    """A confinement for tests. Their directories lie in /tmp, so /tmp is not emptied unless a test asks for it."""
    for name in ("workspace", "scratch"):
        (tmp_path / name).mkdir(exist_ok=True)
    given = confine(mode, tmp_path / "workspace", tmp_path / "scratch", network=network)
    return replace(given, private=(Path("/var/tmp"), Path("/run")))


def wait_until_ready(sandbox: Sandbox) -> None:
    """From here on commands are started in children that are kept ready."""
    deadline = time.monotonic() + 20
    while sandbox.launch(["true"], {}).start is None:
        assert time.monotonic() < deadline, "no child came to be"
        time.sleep(0.01)
