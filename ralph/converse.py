"""A conversation on a terminal: one session, its slash commands, its status line."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ralph import __version__
from ralph.app import App
from ralph.errors import ConfigError
from ralph.providers.choose import Choice, choose
from ralph.providers.detect import find_local
from ralph.ui.commands import Command, Commands
from ralph.ui.editor import Editor
from ralph.ui.render import Screen
from ralph.ui.repl import Repl
from ralph.ui.table import table

Run = Callable[[str], Awaitable[str]]


async def converse(app: App, screen: Screen) -> int:
    """Prompts until the person leaves. The exit code."""
    app.memory.lasting = True
    commands = Commands(
        Command(name, about, run, takes) for name, takes, about, run in (
            ("clear", "", "start over: a new session, nothing of this one is lost", _clear(app)),
            ("tools", "", "what the model can do, and what the gate does with it", _tools(app)),
            ("model", "[NAME]", "which model answers, or another one", _model(app)),
            ("session", "", "the id of this session, for `ralph -r`", _session(app)),
            ("grants", "[revoke N]", "what you allowed on the way, and taking it back", _grants(app)),
            ("explain", "CALL", "which rule decides about a command or call", _explain(app)),
            ("policy", "explain CALL", "the same", _policy(app)),
            ("memory", "[help]", "what is remembered: list, search, edit, forget, ingest ...", _memory(app)),
        )
    )  # fmt: skip
    editor = Editor(
        app.place.home / "history", status=lambda: status(app), words=commands.names,
        complain=lambda text: screen.note(text, "33"),
    )  # fmt: skip
    banner = f"Ralph {__version__} · {_named(app)} · {app.place.cwd} · /help"
    return await Repl(app, screen, editor, commands, banner=banner, attended=sys.stdin.isatty()).run()


def status(app: App) -> str:
    """The line below the prompt: model, money, gate, sandbox, each as it is now."""
    gate = "gate on" if app.config.approval_gates.enabled else "GATE OFF"
    spent = app.prepare.budget.spent_usd
    return f" {_named(app)} · ${spent:.4f} · {gate} · sandbox: {app.about()['sandbox']['state']}"


def _named(app: App) -> str:
    return str(app.about()["model"])


def _clear(app: App) -> Run:
    async def run(_rest: str) -> str:
        before = app.transcript.id
        app.restart()
        return f"a new session; `ralph -r {before}` goes on with the old one"

    return run


def _tools(app: App) -> Run:
    async def run(_rest: str) -> str:
        rows = [(s.name, s.category, app.categories.get(s.category, "gate"), s.description)
                for s in app.tools.specs]  # fmt: skip
        return table(("tool", "category", "gate", "what it does"), rows)

    return run


def _model(app: App) -> Run:
    async def run(rest: str) -> str:
        if rest:
            chosen: Choice = await choose(replace(app.config, model=rest), find_local)
            await app.agent.provider.close()
            app.use(chosen)
        return _named(app)

    return run


def _session(app: App) -> Run:
    async def run(_rest: str) -> str:
        return app.transcript.id

    return run


def _grants(app: App) -> Run:
    async def run(rest: str) -> str:
        from ralph.rulebook import GRANTS  # noqa: PLC0415  # the policy loads while the model thinks, not before
        from ralph.ui.grants import as_text  # noqa: PLC0415  # as above

        grants = app.policy.rules.grants
        words = rest.split()
        if not words or words == ["list"]:
            return as_text(grants.list(), str(app.place.home / GRANTS))
        if len(words) != 2 or words[0] != "revoke" or not words[1].isdecimal():
            raise ConfigError(f"/grants {rest} is not understood", hint="/grants lists, /grants revoke N takes back")
        if not grants.revoke(int(words[1])):
            raise ConfigError(f"there is no grant {words[1]}", hint="/grants lists them")
        return f"revoked grant {words[1]}"

    return run


def _policy(app: App) -> Run:
    async def run(rest: str) -> str:
        word, _, call = rest.partition(" ")
        if word != "explain":
            raise ConfigError(f"/policy {rest} is not understood", hint="/policy explain CALL")
        return await _explain(app)(call)

    return run


def _explain(app: App) -> Run:
    async def run(rest: str) -> str:
        from ralph.policy.explain import as_lines, explain, read_call  # noqa: PLC0415  # as above

        tool, call = _asked_about(rest)
        asked = read_call(call, tool)
        found = app.tools.find(asked.name)
        return "\n".join(as_lines(explain(app.policy.rules, asked, found.spec if found else None)))

    return run


def _asked_about(rest: str) -> tuple[str, str]:
    """`[--tool T] CALL`, the call in quotes or not: the tool's name, or "", and the call."""
    tool, call = "", rest.strip()
    if call.startswith("--tool "):
        _, tool, call = [*call.split(None, 2), "", ""][:3]
    if len(call) > 1 and call[0] == call[-1] and call[0] in "'\"" and call[0] not in call[1:-1]:
        call = call[1:-1]
    if not call:
        raise ConfigError("explain what?", hint="/explain git push, or /explain --tool write_file src/a.py")
    return tool, call


def _memory(app: App) -> Run:
    async def run(rest: str) -> str:
        import asyncio

        from ralph.commands.memory import memory_command  # noqa: PLC0415  # with the command-line library, 45 ms

        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise ConfigError(f"/memory: {error}", hint="close the quotes") from error
        return await asyncio.to_thread(memory_command, app.memory.open(), words, app.place)

    return run
