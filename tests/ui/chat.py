"""A small program for a real pseudo-terminal: a conversation with a session that only knows three answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ralph.core.events import Reply, TextDelta, ToolFinished, ToolStarted, TurnFinished, TurnStarted
from ralph.core.gate import Effect, Judgement, Question, Rule
from ralph.core.messages import Message, Text, ToolCall, ToolResult
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.ui.approve import TerminalApprover
from ralph.ui.commands import Command, Commands
from ralph.ui.editor import Editor
from ralph.ui.oneshot import screen_for
from ralph.ui.repl import Repl
from ralph.ui.terminal import open_terminal

CALL = ToolCall("c1", "shell", {"command": "make all"})


class Parrot:
    def __init__(self, approver):
        self.approver = approver

    async def turn(self, prompt):
        yield TurnStarted(prompt)
        if "fail" in prompt:
            raise ProviderError("no key", kind="auth", hint="set one")
        if "slow" in prompt:
            try:
                yield TextDelta("working **hard")
                await asyncio.sleep(60)
            finally:
                print("[closed]", flush=True)
        if "pause" in prompt:
            yield TextDelta("pausing")
            await asyncio.sleep(0.3)
            yield TextDelta(" no more")
        if "ask" in prompt:
            spec = ToolSpec("shell", "", {}, "shell")
            judgement = Judgement("ask", Rule("r", "shell asks"), (Effect("executes", "make"),))
            answer = await self.approver.ask(Question(CALL, spec, judgement))
            if answer.stop:
                yield TurnFinished("stopped")
                return
            yield ToolStarted(CALL, answer.by)
            yield ToolFinished(CALL, ToolResult("c1", "ok" if answer.allowed else "no", not answer.allowed))
        text = f"you said **{len(prompt.splitlines())}** lines: {prompt!r}"
        for word in text.split(" "):
            yield TextDelta(word + " ")
        yield Reply(Message("assistant", (Text(text),)))
        yield TurnFinished("done", text)


async def main():
    terminal = open_terminal()
    screen = screen_for(sys.stdout, sys.stderr)
    session = Parrot(TerminalApprover(terminal, cwd=Path(), settle=screen.settle))

    async def model(name):
        return f"model is {name or 'parrot'}"

    commands = Commands((Command("model", "show the model", model, "[name]"),))
    editor = Editor(Path(sys.argv[1]), status=lambda: "parrot - gate on", words=commands.names, complain=screen.note)
    return await Repl(session, screen, editor, commands, banner="a parrot").run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
