"""The `python` tool: one persistent child interpreter per session, never Ralph's own."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.tools import Context, Output, Tool, ToolSpec
from ralph.errors import ToolError
from ralph.sandbox.launch import Launch, Launched, plain
from ralph.tools.capture import Capture, Live
from ralph.tools.process import Group, Stream, signal_name
from ralph.tools.still import Trace, halt, rested, resume

WORKER = Path(__file__).with_name("python_worker.py")
LONGEST_CODE = 1 << 20
LONGEST_REPLY = 1 << 20

SPEC = ToolSpec(
    "python",
    "Run Python code in a persistent interpreter: variables and imports stay for later calls. Prints are returned; "
    "so is the value of a last line that is an expression. No input; background work may pause between calls.",
    {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "The code."},
            "timeout": {"type": "integer", "description": "Seconds, default 30, up to 600; then all state is lost."},
        },
        "required": ["code"],
        "additionalProperties": False,
    },
    "python",
    match="code",
)


@dataclass(slots=True)
class _Child:
    group: Group
    socket: socket.socket
    words: tuple[str, ...]
    launched: Launched
    trace: Trace | None = None

    def halt(self) -> bool:
        """Nothing that runs in a sandbox may act until the next call: what happens meanwhile is the person's doing."""
        if not self.launched.hint or self.group.exited.done():
            return True
        self.trace = halt(self.group.popen.pid)
        return self.trace is not None

    def stirred(self) -> str:
        """When it acted all the same: what was done about what it left."""
        if self.trace is None or rested(self.group.popen.pid, self.trace):
            return ""
        return self.launched.after()

    def resume(self) -> None:
        if self.trace is not None:
            resume(self.trace)
            self.trace = None

    @property
    def usable(self) -> bool:
        """False once it ended, or the code closed the descriptors that carry what it prints."""
        pipes = (self.group.popen.stdout, self.group.popen.stderr)
        return not self.group.exited.done() and not any(pipe is None or pipe.closed for pipe in pipes)

    async def answer(self, request: Mapping[str, str]) -> dict[str, Any] | None:
        """None when the child broke off or did not keep to the protocol."""
        import asyncio

        loop = asyncio.get_running_loop()
        data = json.dumps(request).encode()
        try:
            await loop.sock_sendall(self.socket, len(data).to_bytes(4, "big") + data)
            size = int.from_bytes(await self._receive(4), "big")
            reply = json.loads(await self._receive(size)) if size <= LONGEST_REPLY else None
        except (OSError, ValueError):
            return None
        return reply if isinstance(reply, dict) else None

    async def _receive(self, size: int) -> bytes:
        import asyncio

        data = b""
        while len(data) < size:
            piece = await asyncio.get_running_loop().sock_recv(self.socket, size - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data


class Interpreter:
    """Starts its child at the first call and again when the last one is gone. `close` it when the session ends."""

    def __init__(self, launch: Launch = plain) -> None:
        self._launch = launch
        self._child: _Child | None = None
        self._lost = ""
        self._busy = False

    async def run(self, code: str, timeout: float, ctx: Context) -> dict[str, Any]:
        """Result: stdout, stderr, exception, success, execution_time, timed_out; `sandbox` and `note` when they have
        something to say. Cancelling ends the child.
        """
        if self._busy:
            raise ToolError("the interpreter is busy with another call; send python calls one after another")
        self._busy = True
        try:
            told = self._child.stirred() if self._child else ""
            child = await self._ready(ctx)
            child.resume()
            note, self._lost = self._lost, ""
            result = await self._exchange(child, code, timeout, ctx)
        except BaseException:
            await self.close()
            self._lost = "the interpreter was ended when the last call was interrupted"
            raise
        finally:
            self._busy = False
        if told:
            result["sandbox"] = f"{told} {result.get('sandbox', '')}".strip()
        if note:
            result["note"] = f"a new interpreter was started, variables and imports are gone: {note}"
        return result

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        try:
            await child.group.end(strays=True)
        finally:
            child.group.kill()
            child.socket.close()
            for pipe in (child.group.popen.stdout, child.group.popen.stderr):
                if pipe is not None:
                    pipe.close()

    async def _ready(self, ctx: Context) -> _Child:
        """The child; a new one when the last is gone or when what confines it is no longer as it was."""
        if self._child is not None and not self._child.usable:
            await self._drop("the last one had ended")
        if self._child is not None:
            again = self._launch(self._child.words, ctx.env)
            if (again.argv, again.witness) != (self._child.launched.argv, self._child.launched.witness):
                await self._drop("a protected file changed, so its sandbox had to be set up again")
        if self._child is None:
            self._child = self._start(ctx)
        return self._child

    async def _drop(self, reason: str) -> None:
        await self.close()
        self._lost = self._lost or reason

    def _start(self, ctx: Context) -> _Child:
        import subprocess

        ours, theirs = socket.socketpair()
        words = (sys.executable, "-P", "-X", "utf8", str(WORKER), str(theirs.fileno()))
        launched = self._launch(words, ctx.env)
        try:
            group = Group(launched.argv, cwd=ctx.cwd, env=launched.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, pass_fds=(theirs.fileno(),))  # fmt: skip
        except OSError as error:
            ours.close()
            raise ToolError(f"the Python interpreter could not be started: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        return _Child(group, ours, words, launched)

    async def _exchange(self, child: _Child, code: str, timeout: float, ctx: Context) -> dict[str, Any]:
        started = time.perf_counter()
        captures = [Capture(ctx.scratch, "python"), Capture(ctx.scratch, "python-stderr")]
        lives = [Live(ctx.say, time.monotonic), Live(ctx.say, time.monotonic)]
        pipes = (child.group.popen.stdout, child.group.popen.stderr)
        streams = [Stream(pipe, capture.feed, live.feed)
                   for pipe, capture, live in zip(pipes, captures, lives, strict=True) if pipe]  # fmt: skip
        try:
            reply, timed_out = await self._reply(child, code, timeout)
            if reply is None:
                reply = await self._obituary(child, timeout if timed_out else 0)
            for stream in streams:
                stream.drain()
        finally:
            for stream in streams:
                stream.leave()
            for capture, live in zip(captures, lives, strict=True):
                capture.close()
                live.close()
        if not child.halt():
            await self._drop("what it had started could not be made to stand still")
        exception = reply.get("exception")
        hint = child.launched.ended(f"{exception or ''} {captures[1].text}")
        return {
            "stdout": captures[0].text, "stderr": captures[1].text,
            "exception": None if exception is None else str(exception), "success": reply.get("success") is True,
            "execution_time": round(time.perf_counter() - started, 3), "timed_out": timed_out,
            **({"sandbox": hint} if hint else {}),
        }  # fmt: skip

    async def _reply(self, child: _Child, code: str, timeout: float) -> tuple[dict[str, Any] | None, bool]:
        """The worker's reply, or None, and whether the time was up."""
        import asyncio

        answer = asyncio.create_task(child.answer({"code": code}))
        try:
            waiting = (answer, child.group.exited)
            done, _ = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return None, True
            if not answer.done():  # it ended; what it may have sent last is already there
                await asyncio.wait([answer], timeout=0.1)
            return (answer.result() if answer.done() else None), False
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _obituary(self, child: _Child, timeout: float) -> dict[str, Any]:
        """End a child that does not answer, and say in the place of its reply why there is none."""
        import asyncio

        if not timeout:
            await asyncio.wait([child.group.exited], timeout=0.3)
        alone = child.group.exited.done()
        await child.group.end(strays=True)
        code = child.group.popen.returncode
        if timeout:
            why = f"TimeoutError: ended after {timeout:g} s"
        elif alone:
            why = f"the interpreter ended: {signal_name(-code) if code < 0 else f'exit code {code}'}"
        else:
            why = "the interpreter stopped answering and was ended"
        self._lost = why
        return {"exception": f"{why}; its variables and imports are lost", "success": False}


def python_tool(interpreter: Interpreter) -> Tool:
    """The tool around an interpreter that the caller owns and closes."""

    async def python(args: Mapping[str, Any], ctx: Context) -> Output:
        code, timeout = args["code"], args.get("timeout", 30)
        if len(code) > LONGEST_CODE:
            raise ToolError(f"the code has {len(code):,} characters; the limit is {LONGEST_CODE:,}: put it into a file")
        result = await interpreter.run(code, min(timeout, 600) if timeout > 0 else 30, ctx)
        return Output(json.dumps(result, ensure_ascii=False), is_error=not result["success"])

    return Tool(SPEC, python)
