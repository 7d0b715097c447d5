"""Which rule decides about a call, and why. Nothing is run, and no use of a grant is counted."""

from __future__ import annotations

import json
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ralph.core.gate import Judgement, Rule
from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError
from ralph.policy.categories import stand_in
from ralph.policy.facts import Facts, gather
from ralph.policy.rules import Check, Rules

_LABEL = 10  # columns before the text


@dataclass(frozen=True, slots=True)
class Explanation:
    """`considered`: every rule that was looked at, in order; the last of them decided."""

    facts: Facts
    considered: tuple[Check, ...]
    judgement: Judgement

    @property
    def winner(self) -> Check:
        return self.considered[-1]


def read_call(text: str, tool: str = "") -> ToolCall:
    """The call a person typed: a shell command, `{"tool", "args"}`, or with `tool` its arguments or match argument."""
    try:
        data = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError as error:
        if not tool:
            return ToolCall("explain", "shell", {"command": text})
        raise ConfigError(f"the arguments of {tool} are not JSON ({error})") from error
    if tool and data is None:
        match = stand_in(tool).match
        if match is None:
            raise ConfigError(f"{tool} has no match argument", hint='give its arguments as JSON, such as {"a": 1}')
        return ToolCall("explain", tool, {match: text})
    if data is None:
        return ToolCall("explain", "shell", {"command": text})
    if tool:
        return ToolCall("explain", tool, data)
    if not isinstance(data.get("tool"), str) or not isinstance(data.get("args", {}), dict):
        raise ConfigError("a call is {\"tool\": name, \"args\": {...}}", hint="or name the tool with --tool")
    return ToolCall("explain", data["tool"], data.get("args", {}))


def explain(rules: Rules, call: ToolCall, spec: ToolSpec | None = None) -> Explanation:
    facts = gather(call, spec or stand_in(call.name, call.args), rules.places)
    considered: list[Check] = []
    for check in rules.checks(facts):
        considered.append(check)
        if check.verdict is not None:
            break
    return Explanation(facts, tuple(considered), rules.conclude(facts, considered[-1]))


def as_json(explanation: Explanation) -> dict[str, Any]:
    facts, judgement = explanation.facts, explanation.judgement
    return {
        "tool": facts.call.name, "args": dict(facts.call.args), "verdict": judgement.verdict,
        "rule": asdict(judgement.rule), "dangerous": judgement.dangerous, "parse": list(_parse(facts)),
        "effects": [{"kind": effect.kind, "target": effect.target} for effect in judgement.effects],
        "paths": {name: walk.resolved for name, walk in facts.walks.items()},
        "considered": [{**asdict(check.rule), "verdict": check.verdict} for check in explanation.considered],
        "argv": list(judgement.argv) if judgement.argv else None,
        "always": dict(judgement.remember) if judgement.remember else None,
    }  # fmt: skip


def as_lines(explanation: Explanation, width: int = 80) -> list[str]:
    """For a person: the call, its parse, its effects, each rule with what it said, and the one that decided."""
    facts, judgement = explanation.facts, explanation.judgement
    lines = _labelled("call", [f"{facts.call.name}  {_subject(facts.call.args)}"], width)
    lines += _labelled("parse", _parse(facts), width)
    lines += _labelled("paths", [f"{name}: {walk.resolved}" for name, walk in facts.walks.items()], width)
    lines += _labelled("effects", dict.fromkeys(f"{one.kind} {one.target}".rstrip() for one in facts.effects), width)
    lines.append("")
    for check in _worth_showing(explanation):
        lines += _labelled(check.verdict or "-", [f"{check.rule.name}: {check.rule.text}"], width)
        if check.rule.where != "built in":
            lines += _labelled("", [f"written in {check.rule.where}"], width)
    lines.append("")
    lines += _labelled("verdict", [_VERDICTS[judgement.verdict] + f" ({judgement.rule.where})"], width)
    if judgement.remember is not None:
        lines += _labelled("always", [json.dumps(dict(judgement.remember), ensure_ascii=False)], width)
    return lines


_VERDICTS = {"allow": "allow: it runs unasked", "ask": "ask: a person decides", "deny": "deny: it does not run"}


def _worth_showing(explanation: Explanation) -> Iterator[Check]:
    """Entries for other tools and programs are counted, not listed."""
    other = 0
    for check in explanation.considered:
        unlike = check.entry is not None and not _begins_alike(check.entry.words, explanation.facts)
        if check.verdict is None and unlike:
            other += 1
            continue
        if check is explanation.winner and other:
            yield Check(None, Rule("allowlist", f"{other} entries for other commands and tools"))
        yield check


def _begins_alike(words: tuple[str, ...], facts: Facts) -> bool:
    if facts.report is None:
        return not words
    return bool(words) and any(simple.argv[: len(words)] == words for simple in facts.report.command.simples)


def _parse(facts: Facts) -> Iterator[str]:
    if facts.report is None:
        return
    command = facts.report.command
    if command.plain is not None:
        yield "one plain command: " + " ".join(map(_word, command.plain))
        return
    yield f"not one plain command: {command.trouble}"
    for simple in command.simples:
        yield "runs: " + " ".join(map(_word, simple.argv))


def _word(text: str) -> str:
    return visible(text) if text and not any(char.isspace() for char in text) else json.dumps(text, ensure_ascii=False)


def _subject(args: Mapping[str, Any]) -> str:
    if len(args) == 1:
        (only,) = args.values()
        if isinstance(only, str):
            return visible(only)
    return visible(json.dumps(dict(args), ensure_ascii=False))


def visible(text: str) -> str:
    """Characters that would not show, or would change how others show, written as escapes."""
    return "".join(_escape(char) if unicodedata.category(char) in _UNSEEN else char for char in text)


_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs")


def _escape(char: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, f"\\u{{{ord(char):x}}}")


def _labelled(label: str, items: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for item in items:
        wrapped = textwrap.wrap(
            visible(item), max(width - _LABEL, 20), break_on_hyphens=False, subsequent_indent="  ", drop_whitespace=True
        )
        lines += wrapped or [""]
    return [f"{'' if at else label:<{_LABEL}}{line}".rstrip() for at, line in enumerate(lines)]
