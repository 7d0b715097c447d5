"""A job or a conversation: settings, trust, the choice of a model and of a face, and the work itself."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ralph.app import App, make_http, open_app
from ralph.config import CATEGORIES, Loaded, home_directory, load
from ralph.core.events import Notice
from ralph.core.gate import Question
from ralph.core.messages import Block
from ralph.errors import ConfigError, Interrupted, RalphError
from ralph.job import run_job
from ralph.options import Options
from ralph.place import Place, Wishes, working_directory
from ralph.policy.trust import Trust, ralph_files
from ralph.providers.choose import Choice, choose
from ralph.providers.detect import find_local
from ralph.session.answer import read_schema
from ralph.session.attach import piped
from ralph.ui.faces import JobFace, ScreenFace, ask_yes_no, face_for, read_piped
from ralph.ui.oneshot import READER_GONE
from ralph.ui.plain import abandon
from ralph.ui.terminal import Terminal, open_terminal


def begin(options: Options, env: Mapping[str, str], *, unread: bool = False) -> int:
    """Do the job, or talk. unread: nobody can read the answer. Raises RalphError."""
    code = run_async(lambda: _main(options, env))
    return READER_GONE if unread and code == 0 else code


def run_async(main: Callable[[], Any]) -> int:
    """Run to the end; Ctrl+C, SIGTERM and SIGHUP cancel the job, which then ends in good order."""
    import asyncio

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        try:
            return int(await main())
        except asyncio.CancelledError:
            return Interrupted.exit_code

    return asyncio.run(guarded())


async def settle_place(options: Options, env: Mapping[str, str], terminal: Terminal | None) -> tuple[Place, Loaded]:
    """Home, trust and settings. Without a terminal a directory that is not trusted stays so."""
    cwd = working_directory()
    home = home_directory(options.text("home"), env, cwd)
    trust = Trust(home)
    trusted = trust.holds(cwd)
    if not trusted and terminal is not None:
        names = ", ".join(path.name for path in ralph_files(cwd))
        trusted = await ask_yes_no(terminal, f"{cwd} has its own Ralph settings ({names}). Trust them?")
        if trusted:
            trust.grant(cwd)
    place = Place(cwd, home, env, trusted)
    return place, load(cwd=cwd, home=home, env=env, flags=flag_settings(options), trusted=trusted)


def flag_settings(options: Options) -> dict[str, Any]:
    """The flags that are settings, in the shape of a config file."""
    settings: dict[str, Any] = {}
    for flag, name in (("model", "model"), ("api-url", "api_url")):
        if (value := options.text(flag)) is not None:
            settings[name] = value
    limits = {"max-steps": "max_steps", "max-cost": "max_cost_usd", "timeout": "timeout_s"}
    for flag, name in limits.items():
        if (value := options.text(flag)) is not None:
            settings.setdefault("limits", {})[name] = _number(flag, value)
    if (mode := options.text("sandbox")) is not None:
        settings["sandbox"] = {"mode": mode}
    if options.on("no-stream"):
        settings["enable_streaming"] = False
    gates: dict[str, Any] = {"enabled": False} if options.on("yolo") else {}
    for category in options.many("allow-category"):
        if category not in CATEGORIES:
            raise ConfigError(f"unknown category {category!r}", hint=f"one of {', '.join(CATEGORIES)}")
        gates.setdefault("categories", {})[category] = "allow"
    if gates:
        settings["approval_gates"] = gates
    return settings


def _number(flag: str, text: str) -> float:
    try:
        value = int(text) if flag == "max-steps" else float(text)
    except ValueError:
        value = -1
    if value < 0 or not math.isfinite(value):
        raise ConfigError(f"--{flag} must be a number, not {text!r}", hint=f"for example --{flag} 10")
    return value


async def _main(options: Options, env: Mapping[str, str]) -> int:
    terminal = _terminal()
    face = face_for(as_json=options.on("json"), env=env)
    try:
        return await _open_and_run(options, env, terminal, face)
    except RalphError as error:  # before there was a session: settings, trust, a session that is not there
        face.result(exit_code=error.exit_code, error=error)
        return error.exit_code
    except BrokenPipeError:
        abandon(sys.stdout)
        return READER_GONE
    except Exception:  # a bug: it shows, but a script still gets its last line
        face.result(exit_code=1, error=RalphError("internal error", hint="please report the traceback on stderr"))
        raise
    finally:
        if terminal is not None:
            terminal.close()


async def _open_and_run(options: Options, env: Mapping[str, str], terminal: Terminal | None, face: JobFace) -> int:
    place, loaded = await settle_place(options, env, terminal)
    config = loaded.config
    schema_file = options.text("output-schema")
    schema = read_schema(place.cwd / schema_file) if schema_file else None
    talk = options.prompt is None and sys.stdin.isatty() and isinstance(face, ScreenFace)
    prompt, extra = ("", ()) if talk else read_prompt(options)
    wishes = Wishes(
        session=options.text("resume") or ("latest" if options.on("continue") else None),
        system_prompt=_under(place.cwd, options.text("system-prompt-file")),
        output_schema=schema, allow=tuple(options.many("allow")), attended=terminal is not None,
        confine=config.origin("sandbox.mode") != "default", debug=options.on("debug"),
    )  # fmt: skip
    choice = await choose(config, find_local)
    approver = face.approver(terminal, place.cwd, lambda question: _explain(app, question))
    app = await open_app(place, config, choice, approver, make_http(config), wishes)
    app.policy.tell = app.prepare.notice
    app.notices += _notices(loaded, choice)
    if isinstance(face, ScreenFace):
        face.who = lambda: app.agent.provider.name
    try:
        if isinstance(face, ScreenFace) and talk:
            from ralph.converse import converse  # noqa: PLC0415  # a one-shot job needs none of it

            return await converse(app, face.screen)
        face.opened(app.about, hold=schema is not None, streaming=config.enable_streaming)
        return await run_job(app, prompt, face, attached=extra, timeout_s=config.limits.timeout_s, schema=schema)
    finally:
        await app.close()


def _explain(app: App, question: Question) -> list[str]:
    from ralph.rulebook import explained  # noqa: PLC0415  # it is loaded by the time anything is asked

    return explained(app.policy.rules, question)


def read_prompt(options: Options) -> tuple[str, tuple[Block, ...]]:
    """The prompt and piped input beside it. Without a prompt, piped input is the prompt."""
    text = read_piped(sys.stdin)
    prompt = options.prompt if options.prompt is not None else text.strip()
    if not prompt.strip():
        raise ConfigError("there is no prompt", hint='write ralph "what to do", or start `ralph` on a terminal')
    return prompt, ((piped(text),) if options.prompt is not None and text else ())


def _notices(loaded: Loaded, choice: Choice) -> list[Notice]:
    notices = [Notice(choice.why, "model")] if choice.why else []
    if loaded.ignored:
        text = f"this directory is not trusted; ignored: {', '.join(loaded.ignored)}"
        notices.append(Notice(text, "untrusted", "warning"))
    return notices


def _under(cwd: Path, name: str | None) -> Path | None:
    return None if name is None else cwd / name


def _terminal() -> Terminal | None:
    """Where a person can be asked: only when they are there to see it, on stderr or at the keyboard."""
    return open_terminal() if sys.stderr.isatty() or sys.stdin.isatty() else None
