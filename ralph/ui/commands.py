"""The table of slash commands: /help is made from it, and a line that starts with a slash never reaches the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from ralph.errors import ConfigError
from ralph.ui.visible import one_line

Run = Callable[[str], Awaitable[str]]


class Leave(Exception):  # a wish of the person, not an error
    """Raised by the command that ends the conversation."""


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the rest of the line and returns what to show; RalphError says why it could not. `takes`: for help."""

    name: str
    help: str
    run: Run
    takes: str = ""


class Commands:
    """Looked up by name or by any beginning that only one command has."""

    def __init__(self, commands: Iterable[Command]) -> None:
        own = (
            Command("help", "what can be typed here", self._help),
            Command("quit", "leave (Ctrl+D does too)", _leave),
            Command("exit", "the same", _leave),
        )
        self._commands = {command.name: command for command in (*own, *commands)}

    @property
    def names(self) -> list[str]:
        return [f"/{name}" for name in self._commands]

    async def run(self, line: str) -> str:
        """Run `/name rest`. Raises ConfigError for an unknown name, and whatever the command raises."""
        word, _, rest = line.removeprefix("/").partition(" ")
        return await self.find(word).run(rest.strip())

    def find(self, word: str) -> Command:
        if word in self._commands:
            return self._commands[word]
        begun = [name for name in self._commands if word and name.startswith(word)]
        if len(begun) == 1:
            return self._commands[begun[0]]
        near = begun or get_close_matches(word, self._commands, n=1, cutoff=0.5)
        hint = f"did you mean {' or '.join(f'/{name}' for name in near)}?" if near else "/help lists them"
        hint += " (a space before the slash sends the line to the model)"
        raise ConfigError(f"there is no command /{one_line(word, 40)}", hint=hint)

    async def _help(self, _rest: str) -> str:
        rows = [(f"/{command.name} {command.takes}".rstrip(), command.help) for command in self._commands.values()]
        rows += [
            ("Alt+Enter", "a new line; so does a backslash at the end of one"),
            ("Ctrl+C", "stop what is running"),
        ]
        widest = max(len(left) for left, _ in rows)
        return "\n".join(f"{left:<{widest}}  {right}" for left, right in rows)


async def _leave(_rest: str) -> str:
    raise Leave
