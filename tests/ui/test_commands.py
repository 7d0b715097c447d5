from __future__ import annotations

import asyncio

import pytest

from ralph.errors import ConfigError
from ralph.ui.commands import Command, Commands, Leave


def table(said):
    async def model(rest):
        said.append(("model", rest))
        return f"using {rest}"

    async def memory(rest):
        raise ConfigError("no memory", hint="none")

    return Commands((Command("model", "show or choose the model", model, "[name]"), Command("memory", "m", memory)))


def run(line):
    said = []
    return asyncio.run(table(said).run(line)), said


@pytest.mark.parametrize("line", ["/model gpt", "/mod gpt", "/mo   gpt "])
def test_a_name_or_its_unique_beginning(line):
    assert run(line) == ("using gpt", [("model", "gpt")])


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("/m", "/model or /memory"),
        ("/modle", "/model?"),
        ("/hlep", "/help?"),
        ("/zzz", "/help lists them"),
        ("/", "/help lists them"),
        ("/etc/hosts is what?", "a space before the slash"),
    ],
)
def test_an_unknown_name_gives_the_nearest(line, near):
    with pytest.raises(ConfigError, match="there is no command") as raised:
        run(line)
    assert near in raised.value.hint


@pytest.mark.parametrize("line", ["/quit", "/exit", "/q"])
def test_leaving(line):
    with pytest.raises(Leave):
        run(line)


def test_a_failing_command_raises_to_the_caller():
    with pytest.raises(ConfigError, match="no memory"):
        run("/memory")


def test_help_lists_every_command():
    text, _ = run("/help")
    for part in ("/help ", "/quit ", "/exit ", "/model [name]", "show or choose the model", "Ctrl+C", "Alt+Enter"):
        assert part in text
