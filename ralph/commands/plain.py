"""A command as a plain function: its positional parameters are words, its keyword-only ones flags.

Well-formed words are read here, by the function's own signature, in well under a millisecond. Everything else (a
mistake, `--help`) goes to typer, which takes fifty to load and says best what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_KINDS: Mapping[str, Any] = {"str": str, "int": int, "bool": bool, "list[str]": list[str], "list[int]": list[int]}
"""What a parameter may be; annotations are strings here, as they stand in the source."""


class Flag(NamedTuple):
    """least, most: bounds of a number."""

    help: str
    least: int | None = None
    most: int | None = None


class Command(NamedTuple):
    """`run(access, show, words..., *, flags...)`, whose docstring is the help. flags: what is said of each."""

    name: str
    run: Callable[..., None]
    flags: Mapping[str, Flag] = {}


def run_plainly(commands: Iterable[Command], words: Sequence[str], *leading: Any) -> bool:
    """Run the command that `words` name, `leading` before its own arguments. False: they are not well-formed."""
    for command in commands:
        if words and words[0] == command.name:
            given = read(command, words[1:])
            if given is not None:
                command.run(*leading, **given)
                return True
    return False


def read(command: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments by name; None when a word or flag is unknown, missing, or no number."""
    try:
        return dict(_arguments(command, words))
    except (ValueError, KeyError):
        return None


def attach(made: Any, command: Command, *leading: Any) -> None:
    """Give a typer group the command."""
    import inspect  # noqa: PLC0415  # 5 ms, and only what goes to typer needs it

    import typer

    def run(**given: Any) -> None:
        command.run(*leading, **given)

    parameters = []
    for name, found in list(inspect.signature(command.run).parameters.items())[len(leading) :]:
        default = ... if found.default is found.empty else found.default
        if found.kind is found.KEYWORD_ONLY:
            flag = command.flags[name]
            names = ("-" + name, "--" + name) if len(name) == 1 else ()
            shown = typer.Option(default, *names, help=flag.help, min=flag.least, max=flag.most)
        else:
            shown = typer.Argument(default)
        parameters.append(
            inspect.Parameter(name, found.KEYWORD_ONLY, default=shown, annotation=_KINDS[found.annotation])
        )
    run.__doc__ = command.run.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    made.command(command.name)(run)


def _arguments(command: Command, words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    kinds = command.run.__annotations__
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            plain.extend(rest)
        elif not word.startswith("-") or word == "-":
            plain.append(word)
        else:
            name, equals, value = word.partition("=")
            flag = name.lstrip("-")
            if name not in (f"--{flag}", f"-{flag[:1]}") or (equals and not name.startswith("--")):
                raise ValueError(word)
            about = command.flags[flag]
            if kinds[flag] != "bool":
                yield flag, _number_or_text(kinds[flag], value if equals else _value(next(rest, "-")), about)
            elif not equals:
                yield flag, True
            else:
                raise ValueError(word)
    yield from _positional(command, plain)


def _positional(command: Command, plain: list[str]) -> Iterator[tuple[str, Any]]:
    code, kinds, defaults = command.run.__code__, command.run.__annotations__, command.run.__defaults__ or ()
    names = [name for name in code.co_varnames[: code.co_argcount] if name in kinds and kinds[name] in _KINDS]
    for place, name in enumerate(names):
        kind = kinds[name]
        if not plain and place < len(names) - len(defaults):
            raise ValueError(name)
        if kind.startswith("list"):
            yield name, [_number_or_text(kind[5:-1], word) for word in plain]
            return
        if plain:
            yield name, _number_or_text(kind, plain.pop(0))
    if plain:
        raise ValueError(plain[0])


def _value(word: str) -> str:
    if word.startswith("-"):
        raise ValueError(word)
    return word


def _number_or_text(kind: str, word: str, flag: Flag = Flag("")) -> Any:  # noqa: B008  # it cannot change
    if kind != "int":
        return {"str": word}[kind]
    number = int(word)
    if (flag.least is not None and number < flag.least) or (flag.most is not None and number > flag.most):
        raise ValueError(word)
    return number
