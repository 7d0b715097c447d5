"""The persistent interpreter: state, output, and every way a child can go away."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.sandbox.launch import Launched, plain
from ralph.tools.python import LONGEST_CODE, Interpreter, python_tool

Ask = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


def session(
    tmp_path: Path, body: Callable[[Ask], Coroutine[Any, Any, None]], *,
    interpreter: Interpreter | None = None, **context: Any,
) -> None:  # fmt: skip
    """Run `body` with a function that makes one call; the interpreter is closed afterwards."""
    owner = interpreter or Interpreter()
    tool = python_tool(owner)
    ctx = Context("call", tmp_path, tmp_path / "scratch", **{"env": {"PATH": os.environ["PATH"]}, **context})

    async def ask(code: str, **args: Any) -> dict[str, Any]:
        output = await tool.perform({"code": code, **args}, ctx)
        result: dict[str, Any] = json.loads(output.text)
        assert output.is_error is not result["success"]
        return result

    async def whole() -> None:
        try:
            await body(ask)
        finally:
            await owner.close()

    asyncio.run(whole())


def children() -> list[str]:
    """Interpreters of ours; a model server that other tests of this worker started does not count."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [pid for path in tasks for pid in path.read_text().split()]
    return [pid for pid in found if b"python_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_state_survives_calls_and_exceptions(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        first = await ask("x = 20\nx + 1")
        assert first.pop("execution_time") >= 0
        assert first == {"stdout": "21\n", "stderr": "", "exception": None, "success": True, "timed_out": False}
        failed = await ask("y = x\nprint('before')\n1 / 0")
        assert (failed["stdout"], failed["success"]) == ("before\n", False)
        assert failed["exception"].endswith("ZeroDivisionError: division by zero\n")
        assert "\n    1 / 0\n" in failed["exception"]
        assert "python_worker" not in failed["exception"]
        assert (await ask("y + 1"))["stdout"] == "21\n"

    session(tmp_path, body)
    assert children() == []


@pytest.mark.parametrize(
    ("code", "stdout"),
    [("1", "1\n"), ("None", ""), ("a = 1", ""), ("'x'; 'y'", "'y'\n"), ("", ""), ("# only this", ""),
     ("_ = 4; _", "4\n"), ("print('é', end='')", "é"), ("import sys; sys.stderr.write('e')", "1\n"),
     ("'\\ud800'", "'\\ud800'\n"), ("import os; os.system('echo sub') or None", "sub\n"),
     ("__name__", "'__main__'\n"), ("import sys; sys.exit()", ""),
     ("from dataclasses import dataclass\n@dataclass\nclass A: b: int\nimport pickle\npickle.loads(pickle.dumps(A(1)))",
      "A(b=1)\n")],
)  # fmt: skip
def test_what_is_printed(tmp_path: Path, code: str, stdout: str) -> None:
    async def body(ask: Ask) -> None:
        result = await ask(code)
        assert result["stdout"] == stdout
        assert result["success"]

    session(tmp_path, body)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("def f(:", "SyntaxError"), ("input()", "EOFError"), ("import sys; sys.exit(3)", "SystemExit: 3"),
     ("f'{", "SyntaxError"), ("raise KeyboardInterrupt", "KeyboardInterrupt"),
     ("raise Exception('\\ud800')", "\\ud800"), ("bytearray(10**14)", "MemoryError"),
     ("def f(): f()\nf()", "RecursionError"), ("raise Exception('x' * 10**6)", "[... cut ...]")],
)  # fmt: skip
def test_failures_are_told_and_state_is_kept(tmp_path: Path, code: str, wanted: str) -> None:
    async def body(ask: Ask) -> None:
        await ask("kept = 1")
        result = await ask(code)
        assert wanted in result["exception"]
        assert len(result["exception"]) < 25_000
        assert "ast.py" not in result["exception"]
        assert (await ask("kept"))["stdout"] == "1\n"

    session(tmp_path, body)


def test_timeout_ends_the_child_and_all_it_started(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        await ask("x = 1")
        code = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '61.5'])\nprint('part')\nwhile True: pass"
        result = await ask(code, timeout=1)
        assert (result["stdout"], result["timed_out"], result["success"]) == ("part\n", True, False)
        assert "variables and imports are lost" in result["exception"]
        after = await ask("'x' in globals()")
        assert after["stdout"] == "False\n"
        assert "new interpreter" in after["note"]
        assert "note" not in await ask("1")

    session(tmp_path, body)
    assert children() == []
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x0061.5" in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("import os; print('last'); import sys; sys.stdout.flush(); os._exit(3)", "exit code 3"),
     ("import ctypes; print('last', flush=True); ctypes.string_at(0)", "SIGSEGV"),
     ("import os; print('last', flush=True); os.kill(os.getpid(), 9)", "SIGKILL")],
)  # fmt: skip
def test_a_child_that_dies(tmp_path: Path, code: str, wanted: str) -> None:
    async def body(ask: Ask) -> None:
        result = await ask(code)
        assert wanted in result["exception"]
        assert (result["stdout"], result["success"], result["timed_out"]) == ("last\n", False, False)
        assert wanted in (await ask("1"))["note"]

    session(tmp_path, body)


def test_a_child_that_dies_between_calls(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        await ask("import os, threading; threading.Timer(0.05, lambda: os._exit(0)).start()")
        await asyncio.sleep(0.4)
        result = await ask("1")
        assert result["stdout"] == "1\n"
        assert "new interpreter" in result["note"]

    session(tmp_path, body)


def test_cancel_ends_the_child(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        task = asyncio.create_task(ask("import time; time.sleep(60)"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert children() == []
        assert "interrupted" in (await ask("1"))["note"]

    session(tmp_path, body)


def test_prints_cannot_forge_a_result(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        forged = json.dumps({"exception": None, "success": True})
        result = await ask(f"import os\nos.write(1, (len({forged!r})).to_bytes(4, 'big') + {forged!r}.encode())\n1/0")
        assert not result["success"]

    session(tmp_path, body)


def test_a_child_that_breaks_the_protocol_is_ended(tmp_path: Path) -> None:
    find = (
        "import os, stat\n"
        "fds = [int(name) for name in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{name}')]\n"
        "fd = next(fd for fd in fds if fd > 2 and stat.S_ISSOCK(os.fstat(fd).st_mode))\n"
    )

    async def body(ask: Ask) -> None:
        for junk in (b"\xff\xff\xff\xff", b"\0\0\0\2[]", b"\0\0\0\4nope"):
            result = await ask(f"{find}os.write(fd, {junk!r})\nimport time; time.sleep(9)")
            assert not result["success"]
            assert "lost" in result["exception"]

    session(tmp_path, body)


def test_code_that_forks_answers_once(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        first = await ask("import os; pid = os.fork(); 5")
        assert first["success"]
        said = first["stdout"].split()
        for number in range(5):
            answer = (await ask(f"{number}"))["stdout"].split()
            assert str(number) in answer
            said += answer
        assert sorted(said) in (list("012345"), list("0123455"))  # the child shows its 5 too, some time

    session(tmp_path, body)


def test_closed_output_is_put_right_by_a_new_interpreter(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        await ask("import os; os.close(1)")
        await ask("print(1)")
        assert (await ask("print('back')"))["stdout"] == "back\n"

    session(tmp_path, body)


def test_output_is_shown_as_it_comes_and_long_output_is_stored(tmp_path: Path) -> None:
    said: list[str] = []

    async def body(ask: Ask) -> None:
        await ask("import time\nprint('one')\ntime.sleep(0.2)\nprint('two')")
        assert said == ["one\n", "two\n"]
        result = await ask("for i in range(50000): print(i)")
        stored = next((tmp_path / "scratch").iterdir())
        assert stored.read_text() == "".join(f"{number}\n" for number in range(50_000))
        assert str(stored) in result["stdout"]
        assert len(result["stdout"]) < 33_000

    session(tmp_path, body, say=said.append)


def test_endless_printing_is_ended(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        result = await ask("while True: print('x' * 1000)", timeout=1)
        assert result["timed_out"]
        assert len(result["stdout"]) < 33_000

    session(tmp_path, body)


def test_environment_and_directory(tmp_path: Path) -> None:
    (tmp_path / "own_module.py").write_text("value = 7")
    os.environ["PYTHON_TEST_SECRET"] = "key"

    async def body(ask: Ask) -> None:
        place = await ask("import os; os.getcwd(), os.environ.get('PYTHON_TEST_SECRET')")
        assert place["stdout"] == f"({str(tmp_path)!r}, None)\n"
        assert (await ask("import own_module; own_module.value"))["stdout"] == "7\n"
        shadows = await ask("import sys; [p for p in sys.path if p.endswith('ralph/tools')]")
        assert shadows["stdout"] == "[]\n"

    try:
        session(tmp_path, body)
    finally:
        del os.environ["PYTHON_TEST_SECRET"]


def test_the_socket_is_not_handed_on(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        listed = await ask("import subprocess\nsubprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False) and None")
        assert "pipe:" in listed["stdout"]
        assert "socket:" not in listed["stdout"]

    session(tmp_path, body)


def test_too_much_code(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        with pytest.raises(ToolError, match="limit"):
            await ask("#" * (LONGEST_CODE + 1))
        assert (await ask("#" * (LONGEST_CODE - 2) + "\n1"))["stdout"] == "1\n"

    session(tmp_path, body)


def test_two_calls_at_once_are_refused(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        first = asyncio.create_task(ask("import time; time.sleep(0.3); 'first'"))
        await asyncio.sleep(0.05)
        with pytest.raises(ToolError, match="busy"):
            await ask("2")
        assert (await first)["stdout"] == "'first'\n"

    session(tmp_path, body)


def test_it_is_started_as_launch_says_and_again_when_the_witness_changes(tmp_path: Path) -> None:
    witness = [1]

    def launch(argv: Sequence[str], env: Mapping[str, str]) -> Launched:
        return plain(["env", "MARKED=yes", *argv], env)._replace(witness=(witness[0],))

    async def body(ask: Ask) -> None:
        assert (await ask("import os; x = 1; os.environ['MARKED']"))["stdout"] == "'yes'\n"
        assert (await ask("x"))["stdout"] == "1\n"
        witness[0] = 2
        result = await ask("'x' in globals()")
        assert result["stdout"] == "False\n"
        assert "protected file changed" in result["note"]

    session(tmp_path, body, interpreter=Interpreter(launch))


def test_an_interpreter_that_cannot_be_started(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        with pytest.raises(ToolError, match="could not be started"):
            await ask("1")

    before = len(os.listdir("/proc/self/fd"))
    session(tmp_path, body, interpreter=Interpreter(lambda _argv, env: plain(["/no/such/program"], env)))
    assert len(os.listdir("/proc/self/fd")) == before


def test_closing_leaves_no_descriptor(tmp_path: Path) -> None:
    async def body(ask: Ask) -> None:
        await ask("1")

    session(tmp_path, body)
    before = len(os.listdir("/proc/self/fd"))
    session(tmp_path, body)
    assert len(os.listdir("/proc/self/fd")) == before
