from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pexpect
import pyte
import pytest

from ralph.core.events import Reply, TextDelta, TurnFinished, TurnStarted
from ralph.core.messages import Message, Text
from ralph.errors import LimitReached, ProviderError
from ralph.ui.commands import Command, Commands
from ralph.ui.editor import Lines
from ralph.ui.plain import Plain
from ralph.ui.render import Screen
from ralph.ui.repl import Repl

ROOT = Path(__file__).parents[2]


class Typed:
    """A reader with its prompts ready; exceptions among them are raised."""

    def __init__(self, *prompts):
        self.prompts = list(prompts)

    async def read(self):
        if not self.prompts:
            raise EOFError
        prompt = self.prompts.pop(0)
        if isinstance(prompt, BaseException):
            raise prompt
        return prompt

    def quiet(self):
        return nullcontext()


class Echo:
    """Answers with the prompt. `fail` raises, `slow` waits to be interrupted, `itself` presses Ctrl+C."""

    def __init__(self):
        self.prompts, self.closed = [], []

    async def turn(self, prompt):
        self.prompts.append(prompt)
        try:
            yield TurnStarted(prompt)
            if prompt == "fail":
                raise ProviderError("no key", kind="auth", hint="set one")
            if prompt == "limit":
                raise LimitReached("too much", code="max_cost")
            if prompt == "bug":
                raise ZeroDivisionError
            if prompt == "interrupt":
                yield TextDelta("half")
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(30)
            yield Reply(Message("assistant", (Text(f"echo {prompt}"),)))
            yield TurnFinished("done", prompt)
        finally:
            os.kill(os.getpid(), signal.SIGINT) if prompt == "interrupt" else None  # an impatient second Ctrl+C
            await asyncio.sleep(0)
            self.closed.append(prompt)


def talk(*prompts, attended=True, reader=None, commands=()):
    out, err = io.StringIO(), io.StringIO()
    session = Echo()
    screen = Screen(Plain(out), err)
    repl = Repl(session, screen, reader or Typed(*prompts), Commands(commands), banner="hello", attended=attended)
    code = asyncio.run(repl.run())
    return code, out.getvalue(), err.getvalue(), session


def test_prompts_are_answered_until_the_end():
    code, out, err, session = talk("one", "", "  ", " two ")
    assert (code, out, session.prompts) == (0, "echo one\necho two\n", ["one", "two"])
    assert err == "hello\n"


@pytest.mark.parametrize("word", ["/quit", "/exit", "/q", "quit", "exit"])
def test_leaving(word):
    assert talk("one", word, "never")[3].prompts == ["one"]


def test_a_slash_line_never_reaches_the_model():
    async def boom(rest):
        raise ProviderError(f"cannot {rest}", kind="network")

    async def show(rest):
        return "shown\x1b"

    table = (Command("boom", "b", boom), Command("show", "s", show))
    code, _, err, session = talk("/nonsense", "/boom it", "/show", "/help", " /etc/hosts", commands=table)
    assert session.prompts == ["/etc/hosts"]
    for part in ("there is no command /nonsense", "error: cannot it", "shown\\u{1b}", "/boom"):
        assert part in err
    assert code == 0


def test_a_failed_turn_is_one_line_and_the_conversation_goes_on():
    code, out, err, session = talk("fail", "after")
    assert "error: no key: set one\n" in err
    assert out == "echo after\n"
    assert session.closed == ["fail", "after"]
    assert code == 0


def test_a_bug_shows():
    with pytest.raises(ZeroDivisionError):
        talk("bug")


def test_ctrl_c_closes_the_turn_and_only_the_turn():
    before = signal.getsignal(signal.SIGINT)
    code, out, err, session = talk("interrupt", "after")
    assert out == "half\necho after\n"
    assert "interrupted\n" in err
    assert session.closed == ["interrupt", "after"]
    assert signal.getsignal(signal.SIGINT) is before
    assert code == 0


def test_ctrl_c_at_the_prompt_gives_a_hint():
    code, _, err, session = talk(KeyboardInterrupt(), "after")
    assert "Ctrl+D or /quit leaves" in err
    assert session.prompts == ["after"]
    assert code == 0


def test_ending_the_conversation_closes_the_turn():
    session = Echo()

    async def run():
        repl = Repl(session, Screen(Plain(io.StringIO()), io.StringIO()), Typed("slow"), Commands(()))
        session.turn = slow
        task = asyncio.ensure_future(repl.run())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def slow(prompt):
        try:
            yield TurnStarted(prompt)
            started.set()
            await asyncio.sleep(30)
        finally:
            session.closed.append(prompt)

    started = asyncio.Event()
    asyncio.run(run())
    assert session.closed == ["slow"]


@pytest.mark.parametrize(("lines", "code"), [("one\n", 0), ("fail\nlimit\n", 3), ("fail\nquit\n", 5)])
def test_without_a_person_lines_are_prompts_and_failures_count(lines, code):
    got, out, err, _ = talk(attended=False, reader=Lines(io.StringIO(lines)))
    assert got == code
    assert "hello" not in err + out


def test_ctrl_c_while_waiting_for_a_line_ends_it():
    program = (
        "import asyncio,io,sys\n"
        "from tests.ui.test_repl import *\n"
        "class Slow(Lines):\n"
        "    async def read(self):\n"
        "        print('ready', flush=True)\n"
        "        return await super().read()\n"
        "sys.exit(talk(attended=False, reader=Slow(sys.stdin))[0])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.2)  # it says ready just before it waits
    child.send_signal(signal.SIGINT)
    child.wait(10)
    for stream in (child.stdin, child.stdout, child.stderr):
        stream.close()
    assert child.returncode == 130


@pytest.fixture
def chat(tmp_path):
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT)}
    env.pop("NO_COLOR", None)
    program = pexpect.spawn(
        sys.executable, ["-m", "tests.ui.chat", str(tmp_path / "history")], cwd=str(ROOT), env=env, timeout=20,
        encoding="utf-8", dimensions=(24, 80),
    )  # fmt: skip
    yield program
    program.close(force=True)


def prompted(chat):
    """Wait for the prompt; a terminal tells where the cursor is when it is asked to."""
    chat.expect("\x1b\\[6n")
    chat.send("\x1b[1;1R")
    chat.expect("parrot - gate on")


def screen_of(log):
    screen = pyte.Screen(80, 200)
    pyte.Stream(screen).feed(log.getvalue())
    return "\n".join(line.rstrip() for line in screen.display)


def test_a_conversation_on_a_real_terminal(chat, tmp_path):
    log = chat.logfile_read = io.StringIO()
    chat.expect("a parrot")
    prompted(chat)
    chat.send("one\x1b\rtwo\r")
    chat.expect("\x1b\\[1m2\x1b\\[0m lines: 'one\\\\ntwo'")
    prompted(chat)
    chat.send("be slow\r")
    chat.expect("working \\*\\*hard")
    chat.sendintr()
    chat.expect("\\[closed\\]")
    chat.expect("interrupted")
    prompted(chat)
    chat.send("pause\r")
    chat.expect("pausing")
    chat.send("fail")
    prompted(chat)
    chat.send("\r")  # what was typed ahead is in the prompt now
    assert "pausing no more" in screen_of(log)
    chat.expect("error: no key: set one")
    prompted(chat)
    chat.send("please ask\r")
    chat.expect("make all")
    chat.expect("details ")
    chat.send("y")
    chat.expect("✓")
    prompted(chat)
    chat.send("please ask\r")
    chat.expect("details ")
    chat.sendintr()
    chat.expect("turn ended")
    prompted(chat)
    chat.send("/mod x\r")
    chat.expect("model is x")
    prompted(chat)
    chat.sendintr()
    chat.expect("/quit leaves")
    prompted(chat)
    chat.sendeof()
    chat.expect(pexpect.EOF)
    chat.wait()
    assert chat.exitstatus == 0
    assert "+please ask" in (tmp_path / "history").read_text()
