"""The only constructor of things, and the owner of their lifetimes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph import __version__
from ralph.config import Config
from ralph.core.agent import Agent
from ralph.core.events import Event, Notice, Reply
from ralph.core.gate import Approver, Gate
from ralph.core.messages import Block, Message, Text
from ralph.core.provider import Provider
from ralph.core.runner import Runner
from ralph.core.tools import Tool, Toolbox
from ralph.errors import ConfigError
from ralph.late import LatePolicy, Session, make_redactor
from ralph.net import Http, Retrial
from ralph.place import Place, Wishes
from ralph.policy.categories import defaults
from ralph.policy.environment import child_environment
from ralph.policy.guarded import Guarded, redacted
from ralph.policy.secrets import Redactor
from ralph.providers import create
from ralph.providers.choose import Choice
from ralph.providers.models import row
from ralph.providers.traced import Traced
from ralph.providers.wire import ProviderSettings
from ralph.remembering import Remembering
from ralph.session.attach import referenced
from ralph.session.compact import Compactor
from ralph.session.prepare import Budget, Prepare, environment_text, project_instructions, schema_instruction
from ralph.session.repository import Status
from ralph.session.transcript import Transcript, latest, recorded, resume, start
from ralph.tools.late import late_specs
from ralph.tools.loader import load_folder
from ralph.tools.todo import Todos, todo_tools

if TYPE_CHECKING:
    from asyncio import Task

    from ralph.tools.python import Interpreter



OVERHEAD = 6_000
"""Tokens kept free for the system prompt, the tools and the answer."""


def shipped(name: str) -> Path:
    """A file or folder that comes with Ralph: beside the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent / "shipped" / name
    return inside if inside.exists() else Path(__file__).parent.parent / name


@dataclass
class App:
    """One session: the agent and everything it stands on. `turn` is how a face uses it; `close` ends it."""

    place: Place
    config: Config
    choice: Choice
    agent: Agent
    prepare: Prepare
    transcript: Transcript
    tools: Toolbox
    policy: LatePolicy
    http: Http
    python: LatePython
    warming: Task[None]
    redact: Redactor
    memory: Remembering
    notices: list[Notice] = field(default_factory=list)

    async def turn(self, prompt: str, attached: tuple[Block, ...] = ()) -> AsyncGenerator[Event, None]:
        """The events of one turn, each written to the session file before it is passed on.

        Files named as `@path` in the prompt travel with it.
        """
        self.policy.load_soon()
        notices, self.notices = self.notices, []
        for notice in notices:
            yield notice
        attached += await referenced(prompt, self.place.cwd, self.is_protected, self.pages)
        clean = tuple(Text(self.redact(block.text)) if isinstance(block, Text) else block for block in attached)
        turn = redacted(self.agent.turn(self.redact(prompt), clean), self.redact)
        events = recorded(turn, self.transcript, self.agent.history)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Reply):
                    self.prepare.budget.spend(event.cost_usd)
                yield event
        for problem in self.memory.wrong_citations(self.agent.history[-1].text):
            yield Notice(problem, "citation", "warning")
        self.memory.record(self.agent.history)
        self.notices += [Notice(text, "memory", "warning") for text in self.memory.problems]
        self.memory.problems.clear()

    def restart(self) -> None:
        """Go on in a new session with nothing said; the old one stays on disk."""
        self.transcript.close()
        self.transcript = start(self.place.sessions, cwd=self.place.cwd, version=__version__)
        self.agent.history = []
        self.prepare.forget()
        self.policy.restart(self.transcript.id)
        self.memory.session = self.transcript.id

    def use(self, choice: Choice) -> None:
        """Let another model answer from the next request on."""
        provider = make_provider(self.config, choice, self.http)
        self.agent.provider, self.choice = Guarded(provider, self.redact), choice

    def is_protected(self, path: Path) -> bool:
        return self.policy.rules.protects(str(path))

    async def pages(self, path: Path, first: int, last: int) -> str:
        """The text of some pages of a PDF, counted from 1."""
        from ralph.tools.documents import pages  # noqa: PLC0415  # with what reads PDFs

        return await pages(path, first, last)

    @property
    def categories(self) -> dict[str, str]:
        return {**defaults(sandbox_holds=self.policy.box("python").holds), **self.config.approval_gates.categories}

    def about(self) -> dict[str, Any]:
        """What the first line of `--json` and the status line say of this session."""
        return {
            "version": __version__,
            "session_id": self.transcript.id,
            "model": f"{self.agent.provider.name}:{self.agent.provider.model}",
            "tools": [spec.name for spec in self.tools.specs],
            "cwd": str(self.place.cwd),
            "gate": {"enabled": self.config.approval_gates.enabled, "categories": self.categories},
            "sandbox": self.policy.box("python").facts(),
        }

    async def close(self) -> None:
        import asyncio

        self.warming.cancel()
        await asyncio.wait({self.warming})
        await self.python.close()
        self.policy.close()
        self.memory.close()
        await self.agent.provider.close()
        await self.http.close()
        self.transcript.close()


async def open_app(place: Place, config: Config, choice: Choice, approver: Approver, http: Http, wishes: Wishes) -> App:
    """Build a session. Raises RalphError; nothing is left running then but what the caller made."""
    import asyncio

    child_env = child_environment(place.env)
    transcript, history = _open_session(place, wishes.session)
    system = system_prompt(place, wishes.system_prompt)
    status = Status(place.cwd, child_env)
    await status.start()
    provider = make_provider(config, choice, http, debug=wishes.debug)
    warming = asyncio.create_task(_warm(http, choice.api_url))  # connects while the rest is built
    scratch = place.home / "scratch" / transcript.id
    redact = make_redactor(place, config)
    memory = Remembering(place, config, redact)
    memory.session = transcript.id
    policy = LatePolicy(place, config, wishes, Session(transcript.id, scratch, history, redact))
    if config.approval_gates.allowlist or wishes.allow:
        assert policy.rules  # a bad entry is an error at once, not at the first call
    python = LatePython(policy)
    tools, warnings = make_tools(place, memory=memory, python=python)
    _check_tools(wishes.allow, tools)
    gate = Gate(tools, policy, approver, policy)
    runner = Runner(
        gate, cwd=place.cwd, scratch=scratch, env=child_env, finish=policy.finish,
        launch=lambda argv, env: policy.box("shell").launch(argv, env),
    )  # fmt: skip
    prepare = Prepare(
        (system, redact(context_text(place, config, await status.text(), wishes.output_schema))), tools,
        budget=Budget(config.limits.max_cost_usd), output_schema=wishes.output_schema, recall=memory.before,
        shorten=Compactor(config.context_window or row(choice.model, config.models, choice.api_url).context, OVERHEAD),
    )  # fmt: skip
    agent = Agent(Guarded(provider, redact), prepare, runner, max_steps=config.limits.max_steps, history=history)
    notices = [Notice(text, "tool_file", "warning") for text in warnings]
    return App(
        place, config, choice, agent, prepare, transcript, tools, policy, http, python, warming, redact, memory, notices
    )


def _check_tools(allow: tuple[str, ...], tools: Toolbox) -> None:
    """An --allow for a tool that is not there would never fire."""
    names = [spec.name for spec in tools.specs]
    for flag in allow:
        tool = flag.partition(":")[0]
        if tool not in names and not tool.startswith("mcp_"):
            import difflib  # noqa: PLC0415  # on the way out

            near = difflib.get_close_matches(tool.lower(), names, 1)
            hint = f"did you mean {near[0]}?" if near else "see ralph tools list"
            raise ConfigError(f"--allow {flag!r}: there is no tool {tool!r}", hint=hint)


async def _warm(http: Http, url: str) -> None:
    if url:
        await http.warm(url)


def make_http(config: Config) -> Http:
    retrial = Retrial(config.api_max_retries, config.api_retry_delay_ms / 1000, config.api_backoff_factor)
    return Http(retrial=retrial)


def make_provider(config: Config, choice: Choice, http: Http, *, debug: bool = False) -> Provider:
    settings = ProviderSettings(
        model=choice.model, api_url=choice.api_url, api_key=choice.api_key, max_tokens=config.max_tokens,
        thinking=config.thinking or None, rows=config.models,
    )  # fmt: skip
    provider = create(choice.kind, settings, http)
    return Traced(provider) if debug else provider


class LatePython:
    """The interpreter of the `python` tool: its code is loaded when the tool is first called for."""

    def __init__(self, policy: LatePolicy) -> None:
        self._policy = policy
        self._interpreter: Interpreter | None = None

    def tools(self) -> list[Tool]:
        from ralph.tools.python import Interpreter, python_tool  # noqa: PLC0415  # late: that is the point

        self._interpreter = Interpreter(lambda argv, env: self._policy.box("python").launch(argv, env))
        return [python_tool(self._interpreter)]

    async def close(self) -> None:
        if self._interpreter is not None:
            await self._interpreter.close()


def make_tools(
    place: Place, *, memory: Remembering | None = None, python: LatePython | None = None
) -> tuple[Toolbox, list[str]]:
    """Default tool files, built-ins, then the person's own files, which may replace any; and a warning per bad file.

    Without `memory` and `python` theirs are described but cannot be called.
    """
    box = Toolbox(todo_tools(Todos()))
    python_spec, default_specs, memory_specs = late_specs()
    box.add_late(default_specs, lambda: load_folder(shipped("tools_default"), "default")[0])
    box.add_late([python_spec], python.tools if python else lambda: ())
    box.add_late(memory_specs, memory.tools if memory else lambda: ())
    own, warnings = load_folder(place.home / "tools", "user")
    for tool in own:
        box.add(tool, override=True)
    return box, warnings


def context_text(place: Place, config: Config, git: str, schema: Mapping[str, Any] | None) -> str:
    """The second part of the system prompt: the same for the whole session, another one for the next."""
    form = schema_instruction(schema) if schema else ""
    parts = [environment_text(place.cwd, git), project_instructions(place.cwd), config.system_prompt, form]
    return "\n\n".join(part for part in parts if part)


def system_prompt(place: Place, override: Path | None) -> str:
    """--system-prompt-file > a trusted ./PROMPT.md > <home>/PROMPT.md > the one that comes with Ralph."""
    own = [place.cwd / "PROMPT.md"] if place.trusted and place.cwd != shipped("PROMPT.md").parent else []
    for path in [override] if override else [*own, place.home / "PROMPT.md", shipped("PROMPT.md")]:
        try:
            return path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if override:
                raise ConfigError(f"there is no system prompt {path}", hint="check --system-prompt-file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the system prompt {path}: {error}", hint="fix or move it") from error
    raise ConfigError("PROMPT.md is missing from this installation", hint="install Ralph again")


def _open_session(place: Place, session: str | None) -> tuple[Transcript, list[Message]]:
    if session == "latest":
        session = latest(place.sessions, place.cwd)
        if session is None:
            raise ConfigError(f"there is no session of {place.cwd} to go on with", hint="see `ralph sessions list`")
    if session:
        return resume(place.sessions, session)
    return start(place.sessions, cwd=place.cwd, version=__version__), []
