"""Plain requests in English -> what is wanted, without a model.

It would rather not understand than guess: text to be written must stand in quotes, a file name is one word or quoted,
and when one part of a request is not understood nothing of it is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ralph.providers.sentences import FORMS, UNCLEAR, UNCLEAR_COMMANDS


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing wanted. `kind` names the reflex; `said` is the part of the request it was read from."""

    kind: str
    said: str
    given: Mapping[str, str] = field(default_factory=dict)


class NotUnderstood(Exception):
    """`said` is the part that was not; `reason`, when there is one, says what would be."""

    def __init__(self, said: str, reason: str = "") -> None:
        super().__init__(said)
        self.said, self.reason = said, reason


LONGEST = 20_000
"""Characters of a request."""

_FLAGS = re.IGNORECASE | re.DOTALL
_RUN = re.compile(r"(?:(?:run|execute)(?: the)?(?: shell)?(?: command)?:?\s+|[$!]\s*)(?P<command>[^\s=].*)", _FLAGS)
_POLITE = re.compile(
    r"(?:(?:please|ralph|hey|hi|hello|ok(?:ay)?|now|also|and|then|first,|finally|(?:can|could|would|will) you|just|"
    r"i(?: want|'d like) you to|let's)[,:]?\s+)+", _FLAGS,
)  # fmt: skip
_THANKS = re.compile(r"(?<!\s)(?:,?\s+(?:please|for me|thanks|thank you))+\s*[.!?]*$", _FLAGS)
_STOP = re.compile(r"(?<![.!?])(?:(?<=[^\s./])\.|[!?])+$")
_JOINT = re.compile(r"(?<!\s)\s*(?:\n|;|,?\s(?:and\s+)?then\s)\s*", re.IGNORECASE)
_QUOTED = re.compile(r"""(?<!\w)"[^"]*"(?!\w)|(?<!\w)'[^']*'(?!\w)|`[^`]*`|“[^”]*”""")
_QUESTION = re.compile(
    r"(?:what|who|whom|whose|when|where|why|how|which|is|are|was|were|do|does|did|has|have|can)(?:'s)?\s.*\?\s*", _FLAGS
)
_NO_NAMES = {"it", "this", "that", "them", "me", "all", "file", "files", "everything", "code", "something", "anything"}


def understand(prompt: str) -> list[Intent]:
    """The wishes of a request in order, at least one. Raises NotUnderstood for the first part that is none."""
    if len(prompt) > LONGEST:
        raise NotUnderstood(f"{prompt[:60]}...", f"it is longer than {LONGEST:,} characters")
    intents: list[Intent] = []
    left = prompt.strip()
    while left:
        said, left = _first(left)
        if said:
            intents.append(_intent(said))
    if not intents:
        raise NotUnderstood(prompt.strip())
    return intents


def _first(text: str) -> tuple[str, str]:
    """The first part of a request and the rest. What joins parts is not looked for inside quotes."""
    masked = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), text)
    found = _JOINT.search(masked)
    said, left = (text[: found.start()], text[found.end() :]) if found else (text, "")
    command = _RUN.match(_bare(said))
    if found is None or not command or _whole_quote(command["command"].strip()):
        return said.strip(), left
    line = text.partition("\n")[0]  # an unquoted command has its own semicolons: it ends where a request begins
    for joint in re.finditer(r",?\s(?:and\s+)?then\s+", line, re.IGNORECASE):
        if _is_clear(_JOINT.split(line[joint.end() :], maxsplit=1)[0]):
            return line[: joint.start()].strip(), text[joint.end() :]
    return line.strip(), text[len(line) :].strip()


def _is_clear(said: str) -> bool:
    try:
        _intent(said)
    except NotUnderstood:
        return False
    return True


def _intent(said: str) -> Intent:
    clause = _bare(said)
    for form, reason in UNCLEAR_COMMANDS:
        if _fits(form, _STOP.sub("", clause)) is not None:
            raise NotUnderstood(said, reason)
    if found := _RUN.fullmatch(clause):
        command = found["command"].strip()
        return Intent("run", said, {"command": _unquoted(command)})
    plain = _STOP.sub("", clause)
    for kind, form in FORMS:
        if (given := _fits(form, plain)) is not None:
            return Intent(kind, said, given)
    if _QUESTION.fullmatch(clause):
        return Intent("ask", said, {"text": clause})
    reason = next((reason for form, reason in UNCLEAR if _fits(form, plain) is not None), "")
    raise NotUnderstood(said, reason)


def _bare(said: str) -> str:
    """Without the words of courtesy around it."""
    text = said.strip()
    polite = _POLITE.match(text)
    text = text[polite.end() :] if polite else text
    return _THANKS.sub("", text).strip()


def _fits(form: str, clause: str) -> dict[str, str] | None:
    """What the form's groups were given, quotes taken off; None when the clause is of another form."""
    found = re.fullmatch(form, clause, _FLAGS)
    if not found:
        return None
    given = {
        name.rstrip("0123456789"): _unquoted(value) for name, value in found.groupdict().items() if value is not None
    }
    return None if given.get("path", "").lower() in _NO_NAMES else given


def _whole_quote(text: str) -> bool:
    quoted = _QUOTED.match(text)
    return quoted is not None and not text[quoted.end() :].strip(" .!?")


def _unquoted(text: str) -> str:
    if len(text) >= 2 and (text[0], text[-1]) in {('"', '"'), ("'", "'"), ("`", "`"), ("“", "”")}:
        return text[1:-1]
    return text
