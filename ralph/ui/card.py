"""A question in words: what a call would do, why it is asked, and everything behind it. Lines for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from ralph.core.gate import Question, Rule
from ralph.ui.always import facts_of, programs_of, why_never
from ralph.ui.diff import Line, changes, painted, plain
from ralph.ui.doing import SHOWN, Deed, deeds
from ralph.ui.visible import fitted, one_line, visible

SHORT = 16
"""Lines of a diff shown with the question; `?` shows all."""
LONG = 4_000
"""Characters of a command or an argument shown with the question; `?` shows all."""
RULE = 160
"""Characters of a rule shown with the question; `a` and `?` show all."""

_MAIN = {"shell": "command", "python": "code", "web_fetch": "url"}
"""The argument that is the whole of what such a tool does."""
_CHANGING = ("content", "operations", "diff")
"""Arguments that a diff shows better."""


class Card:
    """Draws questions. `colour` False: no escape sequences at all."""

    def __init__(self, cwd: Path, *, colour: bool = True) -> None:
        self._cwd, self._colour = Path(cwd), colour

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code else text

    def short(self, question: Question, width: int) -> list[str]:
        """What fits with the question itself: the whole command or address, else the arguments and the diff's start."""
        judgement = question.judgement
        head = self.paint("1;31" if judgement.dangerous else "1;33", f"● {visible(question.call.name, keep='')}")
        lines = ["", head + (f"  for {visible(question.origin, keep='')}" if question.origin else "")]
        diff = self._diff(question)
        lines += [f"  {line}" for line in self._subject(question, shown=_CHANGING if diff else ())]
        lines += [f"  {self._row(line, width - 2)}" for line in diff[:SHORT]]
        if len(diff) > SHORT:
            lines.append(self.paint("33", f"  … {len(diff) - SHORT} more lines: ? shows all"))
        lines += self._labelled("does", [self.paint(deed.colour, deed.text) for deed in self._deeds(question, SHOWN)])
        return lines + self._reasons(question, width, RULE)

    def details(self, question: Question, width: int) -> list[str]:
        """Every argument whole, every path as resolved, every effect, the rule and where it is written."""
        call, judgement = question.call, question.judgement
        lines = [self.paint("1", f"{visible(call.name, keep='')}  ({question.spec.category}, {question.spec.origin})")]
        for key, value in call.args.items():
            text = value if isinstance(value, str) else _json(value)
            lines += [f"  {visible(key, keep='')}:", *(f"    {line}" for line in self._seen(text).split("\n"))]
        for key, judged in judgement.judged.items():
            state = "exists" if judged.inode else "new"
            lines.append(f"  {visible(key, keep='')} is {visible(judged.resolved, keep='')} ({state})")
        everything = len(judgement.effects) + 1
        lines += self._labelled("does", [self.paint(one.colour, one.text) for one in self._deeds(question, everything)])
        if judgement.argv is not None:
            lines.append(f"  one plain command, run without a shell: {self._seen(_json(judgement.argv))}")
        lines += self._reasons(question, width, None)
        if diff := self._diff(question):
            lines += ["", *(f"  {self._row(line, None)}" for line in diff)]
        return lines

    def brief(self, question: Question, width: int) -> str:
        """One row for the list of several questions."""
        call = question.call
        main = call.args.get(_MAIN.get(call.name, "path"), None)
        text = main if isinstance(main, str) else _json(call.args)
        return fitted(f"{visible(call.name, keep='')}  {one_line(text, 300)}", max(width, 8))

    def rule(self, rule: Mapping[str, Any]) -> str:
        return self._seen(_json(rule))

    def why_never(self, question: Question) -> str:
        return visible(why_never(question, facts_of(question, self._cwd)), keep="")

    def _deeds(self, question: Question, most: int) -> list[Deed]:
        facts = facts_of(question, self._cwd)
        return deeds(question.judgement.effects, Path(facts.cwd), self._cwd, programs_of(facts), most)

    def _reasons(self, question: Question, width: int, limit: int | None) -> list[str]:
        """Why it is asked, and what an "always" would store: that to the letter, so it is not broken between words."""
        judgement = question.judgement
        first, *more = _wrapped("asks", f"{'dangerous: ' * judgement.dangerous}{_because(judgement.rule)}", width)
        first = first.replace("dangerous:", self.paint("31", "dangerous:"), 1) if judgement.dangerous else first
        lines = [first, *more]
        if judgement.remember is None:
            return lines + _wrapped("rule", f"no always: {self.why_never(question)}", width)
        return [*lines, f"  rule: {self._always(judgement.remember, limit)}"]

    def _always(self, rule: Mapping[str, Any], limit: int | None) -> str:
        """The exact rule an "always" would store."""
        text = _json(rule)
        if limit is None or len(text) <= limit:
            return f"always would store {self._seen(text)}"
        if "arguments" in rule:
            return "always would allow exactly this call and no other (? shows the rule)"
        return f"always would store {self._seen(text[:limit])}… ? shows all"

    def _labelled(self, label: str, lines: list[str]) -> list[str]:
        return [f"  {f'{label}:' if not at else '':<{len(label) + 1}} {line}" for at, line in enumerate(lines)]

    def _subject(self, question: Question, shown: tuple[str, ...]) -> list[str]:
        """The arguments, the telling one first and bare; those that are `shown` otherwise are left out."""
        args = dict(question.call.args)
        main = args.pop(_MAIN.get(question.call.name, "path"), None)
        lines = self._clipped(main).split("\n") if isinstance(main, str) else []
        for key, value in args.items():
            if key in shown:
                continue
            text = self._clipped(value if isinstance(value, str) else _json(value))
            lines += f"{visible(key, keep='')}: {text}".split("\n")
        return lines

    def _clipped(self, text: str) -> str:
        if len(text) <= LONG:
            return self._seen(text)
        more = self.paint("33", f"… {len(text) - LONG:,} more characters: ? shows all")
        return f"{self._seen(text[:LONG])}\n{more}"

    def _seen(self, text: str) -> str:
        return visible(text, mark=("\x1b[7m", "\x1b[27m") if self._colour else ("", ""))

    def _diff(self, question: Question) -> list[Line]:
        return changes(question.call.name, question.call.args, lambda key: self._locate(question, key))

    def _locate(self, question: Question, key: str) -> Path:
        judged = question.judgement.judged.get(key)
        return Path(judged.resolved) if judged else self._cwd / str(question.call.args.get(key, ""))

    def _row(self, line: Line, width: int | None) -> str:
        if width is not None:
            line = Line(line.kind, fitted(line.text, width - 3))
        return painted(line) if self._colour else plain(line)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    """Broken between words, under each other."""
    return wrap(text, max(width, 30), initial_indent=f"  {label}: ", subsequent_indent="  " + " " * (len(label) + 2),
                break_on_hyphens=False)  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value if not isinstance(value, Mapping) else dict(value), ensure_ascii=False, default=str)


def _because(rule: Rule) -> str:
    return visible(f"{rule.text} (rule {rule.name}, {_written(rule.where)})", keep="")


def _written(where: str) -> str:
    return where if where == "built in" else f"written in {where}"
