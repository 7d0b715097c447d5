"""Commands read by their own signature: the same as typer reads them, or not read at all."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ralph.commands.memory import COMMANDS
from ralph.commands.plain import Command, attach, read, run_plainly

WORD = st.sampled_from([
    "1", "-1", "0", "2000", "x", "", "-", "--", "two words", "long_term_memory", "--page", "--page=2", "--page=0", "-k",
    "-k5", "-k=5", "--k", "--k=1000", "--limit", "--here", "--here=1", "--no-here", "--index", "--index=documents",
    "--keyword", "--key", "--help", "-h", "--json", "--show", "--access", "--query", "---here", "--here-", "é",
])  # fmt: skip


def by_typer(command, words):
    """What typer makes of the words; None when it makes nothing of them."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    seen = []

    def run(*leading, **given):
        seen.append(given)

    run.__signature__ = inspect.signature(command.run)
    run.__doc__ = "x"
    attach(app, command._replace(run=run), None, None)
    try:
        typer.main.get_command(app).main([command.name, *words], standalone_mode=False)
    except Exception:
        return None
    return seen[0] if seen else None


@given(command=st.sampled_from(COMMANDS), words=st.lists(WORD, max_size=5))
@example(command=COMMANDS[1], words=["a", "--", "--here"])
@example(command=COMMANDS[1], words=["a", "-k", "3", "b", "--index", "documents"])
@settings(max_examples=400, deadline=None)
def test_what_is_read_is_what_typer_reads(command, words):
    found = read(command, words)
    if found is not None:
        assert {**(command.run.__kwdefaults__ or {}), **_defaults(command), **found} == by_typer(command, words)


def _defaults(command):
    code, defaults = command.run.__code__, command.run.__defaults__ or ()
    return dict(zip(code.co_varnames[: code.co_argcount][-len(defaults) :], defaults, strict=True)) if defaults else {}


@pytest.mark.parametrize(("words", "given"), [
    ("list", {}), ("list documents --page 2 --here", {"index": "documents", "page": 2, "here": True}),
    ("search a b -k 3 --index=x --keyword", {"query": ["a", "b"], "k": 3, "index": "x", "keyword": True}),
    ("show 7", {"id": 7}), ("forget 1 2 3", {"ids": [1, 2, 3]}),
    ("edit 1 content new words", {"id": 1, "field": "content", "value": ["new", "words"]}),
])  # fmt: skip
def test_what_people_type_is_read(words, given):
    name, *rest = words.split()
    [command] = [command for command in COMMANDS if command.name == name]
    assert read(command, rest) == given


@pytest.mark.parametrize("words", [
    "", "lst", "list --pge 2", "list --page", "list --page x", "list --page 0", "list --page -1", "list a b", "show",
    "show x", "show 1 2", "search", "search a -k 1001", "search a -k --here", "list --here=1", "list --help", "edit 1",
])  # fmt: skip
def test_what_is_not_well_formed_is_left_to_typer(words):
    assert not run_plainly(COMMANDS, words.split(), None, None)


def test_every_flag_is_described():
    for command in COMMANDS:
        assert set(command.flags) == set(command.run.__kwdefaults__ or {})
        assert command.run.__doc__


def test_a_command_without_words_or_flags():
    ran = []

    def bare(*, loud: bool = False) -> None:
        """Nothing."""
        ran.append(loud)

    assert run_plainly([Command("bare", bare)], ["bare"])
    assert not run_plainly([Command("bare", bare)], ["bare", "--loud"])  # it is not described
    assert ran == [False]


def test_a_look_up_loads_neither_typer_nor_numpy(tmp_path):
    code = (
        "import sys\nfrom ralph.options import parse\nfrom ralph.commands import dispatch\n"
        "home = ['--home', sys.argv[1]]\n"
        "for words in (['list'], ['stats'], ['indices'], ['search', 'a', '--keyword'], ['why'], ['help']):\n"
        "    assert dispatch(parse([*home, 'memory', *words, '--json']), {'HOME': sys.argv[1]}) == 0\n"
        "import json\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert loaded.isdisjoint({"typer", "click", "pydantic", "numpy", "httpx", "asyncio", "hnswlib"})
