from __future__ import annotations

import io

import pyte
import pytest

from ralph.core.events import (
    Compacted,
    Notice,
    Recalled,
    Reply,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ralph.core.messages import Message, Text, ToolCall, ToolResult, Usage
from ralph.errors import ProviderError
from ralph.ui.markdown import Live
from ralph.ui.plain import Plain
from ralph.ui.render import Screen, summary

LS = ToolCall("c1", "shell", {"command": "ls -l"})


class Clock:
    now = 0.0

    def __call__(self):
        self.now += 0.1
        return self.now


def both(*events, **settings):
    """What came out on the two streams."""
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(Plain(out), err, clock=Clock(), **settings)
    for event in events:
        screen.show(event)
    screen.end()
    return out.getvalue(), err.getvalue()


def reply(text="", *calls, **about):
    return Reply(Message("assistant", (*([Text(text)] if text else []), *calls)), **about)


def ran(call=LS, text="ok", **result):
    return ToolFinished(call, ToolResult(call.id, text, **result))


def test_the_answer_goes_to_one_stream_and_the_rest_to_the_other():
    events = (
        TurnStarted("q"), TextDelta("let me "), TextDelta("look"), reply("let me look", LS), ToolRequested(LS),
        ToolStarted(LS, "allow"), ToolOutput("c1", "a.txt\n"), ran(), TextDelta("found a.txt"), reply("found a.txt"),
        TurnFinished("done", "found a.txt"),
    )  # fmt: skip
    assert both(*events) == ("let me look\n\nfound a.txt\n", "✓ shell (ls -l)\n")


def test_an_answer_that_was_not_streamed_is_shown_once_it_is_whole():
    assert both(TurnStarted("q"), reply("whole")) == ("whole\n", "")


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (Retrying(2, 1.5, "503 from the server"), "retry 2 in 1.5 s: 503 from the server\n"),
        (Notice("found a \x1b[1mserver"), "found a \\u{1b}[1mserver\n"),
        (Notice("old table", "models", "warning"), "warning: old table\n"),
        (Recalled(({"id": 1, "source": "notes.md"}, {"id": 2})), "recalled 2: notes.md, 2\n"),
        (Compacted(12, 9000, 3000), "12 earlier messages shortened, about 9,000 to 3,000 tokens\n"),
        (TurnFinished("max_steps"), "the step limit was reached (--max-steps)\n"),
        (TurnFinished("done"), ""),
        (ThinkingDelta("hm"), ""),
        (ToolRequested(LS), ""),
        (ToolStarted(LS, "x"), ""),
        (ToolOutput("c1", "x\n"), ""),
        (ran(display="3 lines"), "✓ shell (ls -l)\n  3 lines\n"),
        (ran(text="Traceback", is_error=True), "✗ shell (ls -l)\n  Traceback\n"),
        (ran(text='{"error": "no such file"}', is_error=True), "✗ shell (ls -l)\n  no such file\n"),
        (ran(text="{}", is_error=True, display="e" * 80), f"✗ shell (ls -l)\n  {'e' * 67}...\n"),
        (ran(ToolCall("c", "shell", {"command": "which rg"}), "[]", is_error=True), "○ shell (which rg)\n  []\n"),
        (
            ToolFinished(LS, ToolResult("c1", "{}", True, "the user said no"), refusal="operation_denied"),
            "✗ shell (ls -l)\n  refused, operation_denied: the user said no\n",
        ),
        (ran(text='{"exit_code": 0}'), "✓ shell (ls -l)\n"),
        (ran(text='{"exit_code": 128, "timed_out": false}'), "○ shell (ls -l) exit 128\n"),
        (ran(text='{"exit_code": -1, "timed_out": true}'), "○ shell (ls -l) timed out\n"),
        (
            ran(text='{"exception": "Traceback:\\n  x\\nZeroDivisionError: division\\n"}', is_error=True),
            "✗ shell (ls -l)\n  ZeroDivisionError: division\n",
        ),
        (ToolFinished(LS, ToolResult("c1", "ok"), seconds=2.34), "✓ shell (ls -l) 2.3 s\n"),
        (ran(ToolCall("c", "\x1b[2Jevil", {"path": "a\x1b[1Ab\u202e"})), "✓ \\u{1b}[2Jevil (a\\u{1b}[1Ab\\u{202e})\n"),
    ],
)
def test_lines_beside_the_answer(event, shown):
    assert both(event) == ("", shown)


def test_colours_only_when_asked_for():
    assert both(ran(), colour=True)[1] == "\x1b[32m✓\x1b[0m shell\x1b[2m (ls -l)\x1b[0m\n"
    assert "\x1b" not in both(ran(), Retrying(1, 1, "x"), Notice("n"))[1]


def test_a_stream_that_only_knows_ascii_gets_ascii_marks():
    err = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = Screen(Plain(io.StringIO()), err)
    screen.show(ran())
    screen.show(ran(is_error=True))
    assert err.buffer.getvalue().splitlines() == [b"+ shell (ls -l)", b"x shell (ls -l)", b"  ok"]


def test_thoughts_are_shown_beside_the_answer_when_wanted():
    out, err = both(ThinkingDelta("hm, "), ThinkingDelta("yes"), TextDelta("ok"), reply("ok"), thoughts=True)
    assert (out, err) == ("ok\n", "hm, yes\n")


@pytest.mark.parametrize(
    ("name", "args", "shown"),
    [
        ("shell", {"command": "x" * 60}, "x" * 47 + "..."),
        ("search_files", {"regex_pattern": "a+"}, ". → /a+/"),
        ("search_files", {"path": "src", "regex_pattern": "b" * 50}, f"src → /{'b' * 37}.../"),
        ("write_file", {"content": "text", "path": "a.py"}, "a.py"),
        ("web_fetch", {"url": "http://x.org"}, "http://x.org"),
        ("recall", {"query": "cats"}, "query: cats"),
        ("TodoWrite", {"todos": [{"content": "one"}, {"content": "two"}]}, "2 tasks: one"),
        ("TodoWrite", {"todos": []}, "updated"),
        ("TodoWrite", {"todos": "nonsense"}, "updated"),
        ("task", {"taskId": 3, "status": "done"}, "#3 → done"),
        ("other", {"n": 1}, ""),
        ("shell", {"command": "a\nb\x07"}, "a b\\u{7}"),
    ],
)
def test_summaries(name, args, shown):
    assert summary(ToolCall("c", name, args)) == shown


def test_totals():
    screen = Screen(Plain(io.StringIO()), io.StringIO(), clock=iter([1.0, 3.5, 4.0]).__next__)
    assert screen.totals() == ""
    screen.show(reply("a", usage=Usage(1200, 30), cost_usd=0.0012))
    screen.show(reply("b", usage=Usage(1300, 20), cost_usd=0.0013))
    assert screen.totals() == "tokens 2,500 in, 50 out · $0.0025 · 2.5 s"


def test_an_unknown_price_is_not_shown_as_nothing():
    screen = Screen(Plain(io.StringIO()), io.StringIO(), clock=iter([1.0, 3.5]).__next__)
    screen.show(reply("a", usage=Usage(10, 3)))
    assert screen.totals() == "tokens 10 in, 3 out · 2.5 s"


def test_an_error_is_one_line():
    err = io.StringIO()
    Screen(Plain(io.StringIO()), err).complain(ProviderError("no\x1b", kind="auth", hint="set a key"))
    assert err.getvalue() == "error: no\\u{1b}: set a key\n"


class OneTerminal:
    """Both streams on one screen, as on a terminal."""

    def __init__(self, columns=40, lines=12):
        self.out = io.StringIO()
        self.pyte = pyte.Screen(columns, lines)
        self.pyte.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self.pyte)
        size = (columns, lines)
        self.screen = Screen(
            Live(self.out, lambda: size), self.out, live=True, colour=True, thoughts=True, size=lambda: size,
            clock=Clock(),
        )  # fmt: skip

    def show(self, *events):
        for event in events:
            self.screen.show(event)

    @property
    def text(self):
        self._stream.feed(self.out.getvalue())
        self.out.seek(0)
        self.out.truncate()
        return "\n".join(line.rstrip() for line in self.pyte.display).rstrip()


def test_a_running_tool_shows_its_last_lines_and_leaves_one():
    terminal = OneTerminal()
    terminal.show(TextDelta("Looking"), reply("Looking", LS), ToolStarted(LS, "allow"))
    assert terminal.text == "Looking\n○ shell (ls -l)"
    for number in range(9):
        terminal.show(ToolOutput("c1", f"\x1b[31mline {number}\x1b[0m\r\n"))
    terminal.show(ToolOutput("c1", "10 %\r50 %\r99 %"))
    shown = "\n".join(f"  line {number}" for number in (5, 6, 7, 8))
    assert terminal.text == f"Looking\n○ shell (ls -l)\n{shown}\n  99 %"
    terminal.show(ran(), TextDelta("Done"), reply("Done"))
    assert terminal.text == "Looking\n✓ shell (ls -l)\n\nDone"


def test_parallel_tools_finish_one_by_one():
    terminal = OneTerminal()
    other = ToolCall("c2", "read_file", {"path": "b.txt"})
    terminal.show(ToolStarted(LS, "x"), ToolStarted(other, "x"))
    assert terminal.text == "○ shell (ls -l)\n○ read_file (b.txt)"
    terminal.show(ran(other))
    assert terminal.text == "✓ read_file (b.txt)\n○ shell (ls -l)"
    terminal.show(ran())
    assert terminal.text == "✓ read_file (b.txt)\n✓ shell (ls -l)"


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_long_output_never_wraps_or_scrolls_what_is_erased(columns):
    terminal = OneTerminal(columns, 6)
    terminal.show(ToolStarted(LS, "x"))
    for number in range(30):
        terminal.show(ToolOutput("c1", f"{number} " + "日本🙂é" * 30 + "\n"))
    terminal.show(ran())
    assert terminal.text == "✓ shell (ls -l)"


def test_a_tools_output_cannot_drive_the_terminal():
    terminal = OneTerminal()
    terminal.show(ToolStarted(LS, "x"), ToolOutput("c1", "\x1b[2J\x1b]0;t\x07\x9b2J\n"))
    written = terminal.out.getvalue()
    assert "\x1b[2J" not in written
    assert "\x1b]" not in written
    assert "\x9b" not in written


def test_a_thought_is_on_its_own_lines():
    terminal = OneTerminal()
    terminal.show(ThinkingDelta("hm"), TextDelta("**yes**"), reply("**yes**"))
    assert terminal.text == "hm\nyes"


def test_settling_leaves_a_clean_line_for_others():
    terminal = OneTerminal()
    terminal.show(TextDelta("half **a** line"))
    terminal.screen.settle()
    assert terminal.out.getvalue().endswith("\n")
    terminal.show(ToolStarted(LS, "x"))
    terminal.screen.settle()
    assert terminal.text == "half a line"
