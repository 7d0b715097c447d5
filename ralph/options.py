"""The flags of the main job, as one table: read, listed in --help, and checked by a test.

Not made with the command-line library: building them there costs as much CPU as everything else before the first
request. Subcommands (`ralph doctor`, `ralph memory ...`) do use it.
"""

from __future__ import annotations

USAGE = "ralph [flags] [PROMPT...] | ralph COMMAND ..."
FLAGS: tuple[tuple[str, str, str], ...] = (  # names, metavar ("" = no value, "+" = may be repeated), help
    ("-m --model", "NAME", "model; PROVIDER:NAME picks the provider too"),
    ("--api-url", "URL", "endpoint of the model service"),
    ("-c --continue", "", "go on with the last session of this directory"),
    ("-r --resume", "ID", "go on with a session"),
    ("--json", "", "JSON lines on stdout, nothing else on stdout"),
    ("--no-stream", "", "print the answer when it is whole"),
    ("--output-schema", "FILE", "the answer must fit this JSON Schema (exit 10 when it does not)"),
    ("--system-prompt-file", "FILE", "use this system prompt instead of PROMPT.md"),
    ("--allow", "TOOL:REST+", 'let calls run unasked: --allow "shell:git,status", --allow "write_file:^\\./src/"'),
    ("--allow-category", "CATEGORY+", "let a whole category run unasked"),
    ("--yolo", "", "let everything run but calls on protected files and ruinous commands"),
    ("--sandbox", "MODE", "what python and shell may touch: read-only, workspace, off"),
    ("--max-steps", "N", "requests to the model in one turn (default 50)"),
    ("--max-cost", "USD", "money for this session"),
    ("--timeout", "SECONDS", "time for a one-shot job"),
    ("--home", "DIR", "where Ralph keeps its things (default ~/.local/ralph)"),
    ("--debug", "", "say on stderr what is sent and how long it takes"),
    ("--version", "", "print the version"),
    ("-h --help", "", "print this"),
)
COMMANDS: dict[str, str] = {
    "doctor": "what works, what does not, how to fix it",
    "config": "show | schema | path",
    "tools": "list",
    "sessions": "list | search | show | export | delete",
    "policy": "explain | test | lint | show",
    "grants": "list | revoke",
    "trust": "list | revoke",
    "memory": "list | search | show | edit | forget | ingest | stats | export | import | eval | ...",
    "audit": "show | verify",
}
EXIT_CODES = (
    "0 done · 1 bug · 2 usage or config · 3 a limit was reached · 4 a call was refused, nobody to ask · "
    "5 provider refused · 10 schema not met · 75 try again later · 130 interrupted"
)


class UsageError(Exception):
    """A command line that cannot be understood: what is wrong, then what was probably meant."""


class Options:
    """The command line, read. `flags` maps a flag's long name to its value (a list where it may be repeated)."""

    def __init__(self) -> None:
        self.flags: dict[str, str | bool | list[str]] = {}
        self.prompt: str | None = None
        self.command: list[str] = []

    def text(self, name: str) -> str | None:
        value = self.flags.get(name)
        return value if isinstance(value, str) else None

    def many(self, name: str) -> list[str]:
        value = self.flags.get(name)
        return value if isinstance(value, list) else []

    def on(self, name: str) -> bool:
        return self.flags.get(name) is True


def help_text() -> str:
    rows = []
    for names, metavar, about in FLAGS:
        shown = ", ".join(names.split()) + (f" {metavar.rstrip('+')}" if metavar else "")
        rows.append(f"  {shown:<26} {about}")
    commands = [f"  {name:<26} {about}" for name, about in COMMANDS.items()]
    return "\n".join([
        f"usage: {USAGE}", "",
        "Without a prompt: a REPL. With one: do it and exit; piped input is attached to it.", "",
        "flags:", *rows, "", "commands:", *commands, "",
        "A first word that is a command is the command; `ralph -- doctor` is a prompt.",
        f"exit codes: {EXIT_CODES}",
    ])  # fmt: skip


def parse(argv: list[str]) -> Options:
    """Read the words after `ralph`. Raises UsageError."""
    table: dict[str, tuple[str, str]] = {}
    for names, metavar, _about in FLAGS:
        long = names.split()[-1].lstrip("-")
        table.update({name: (long, metavar) for name in names.split()})
    options, words, rest = Options(), [], list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if not word.startswith("-") or word == "-":
            if not words and word in COMMANDS:
                options.command = [word, *rest]
                return options
            words.append(word)
            continue
        _read_flag(word, rest, table, options)
    options.prompt = " ".join(words) if words else None
    return options


def _read_flag(word: str, rest: list[str], table: dict[str, tuple[str, str]], options: Options) -> None:
    name, equals, value = word.partition("=")
    if name not in table and word[:2] in table and not word.startswith("--") and table[word[:2]][1]:
        name, equals, value = word[:2], "=", word[2:]  # -mNAME
    if name not in table:
        import difflib  # noqa: PLC0415  # on the way out, never on the way in

        near = difflib.get_close_matches(name, table, 1, cutoff=0.5)
        raise UsageError(f"unknown flag {name}" + (f"; did you mean {near[0]}?" if near else "; see ralph --help"))
    long, metavar = table[name]
    if not metavar:
        if equals:
            raise UsageError(f"{name} takes no value")
        options.flags[long] = True
        return
    if not equals:
        if not rest:
            raise UsageError(f"{name} needs a value: {name} {metavar.rstrip('+')}")
        value = rest.pop(0)
    if metavar.endswith("+"):
        options.flags[long] = [*options.many(long), value]
    else:
        options.flags[long] = value
