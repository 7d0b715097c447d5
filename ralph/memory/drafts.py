"""Memories of a question set as they would be stored in use: who speaks, when and where beside the text, not in it.

Sets spell such things differently (`speaker`, `Speaker name`, only `Ann: ...` in the text): what is stored is the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ralph.memory.ranking import TURN
from ralph.memory.rows import Draft
from ralph.memory.when import moment
from ralph.memory.words import STOP_WORDS, words_of

Memory = tuple[str, str, Mapping[str, Any]]
"""(id, text, meta)"""
_SPEAKERS = ("speaker", "author", "sender", "name", "from", "person", "who", "user", "subject", "by")
_TIMES = ("created", "date", "datetime", "time", "timestamp", "when")
_SESSIONS, _CONVERSATIONS = ("session",), ("conversation", "conv", "sample", "dialog", "dialogue", "chat", "thread")
_CAPTIONS = ("caption", "title")
"""Words of keys, what is likeliest first."""
_PREFIX = re.compile(r"""([^\W\d_][\w.'-]*(?: [^\W\d_][\w.'-]*)?)(?:\s*: +(?=\S)| said, (?="))""")
_DATED = re.compile(r"\s*(?:\[([^\]\n]+)\]|\(([^)\n]+)\))\s*:?\s*(?=\S)")
_PLACED = re.compile(r"(.+)[:/_.-]\d+")
_ADDRESSED = re.compile(r"(?:^|[,!.] |\b(?:[Hh]i|[Hh]ey|[Hh]ello|[Mm]orning|[Tt]hanks) )([A-Z][a-z]+)(?=[,!?])")
_KEY_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_COMMON, _CALLED, _SUBJECT = 0.02, 0.003, 0.1
"""Share of the memories a speaker must have to be left out of what is embedded, one who is addressed the same, and a
subject to be a speaker where most memories begin with something else."""


def drafts_of(memories: Sequence[Memory]) -> list[Draft]:
    """One draft for each, in the order given; turns and facts told apart."""
    memories = [_dated(*memory) for memory in memories]
    spoken = [_spoken(text, meta) for _, text, meta in memories]
    told = _told(spoken)
    spoken = [(speaker or (_subject(text) if _subject(text) in told else ""), text) for speaker, text in spoken]
    counts = Counter(speaker for speaker, _ in spoken if speaker)
    people = [name for name, count in counts.items() if count >= max(2, _COMMON * len(memories))]
    people = people or _called([text for _, text in spoken])
    names = {word for name in people for word in words_of(name)}
    third_person = sum(_subject(text).lower() in names for _, text in spoken)
    facts = third_person > len(memories) / 3
    sessions = _sessions(memories)
    return [
        Draft(
            text, type=str(meta.get("type") or "fact") if facts or meta.get("type") == "fact" else TURN,
            session=session, about=" ".join(filter(None, (speaker, *_texts(meta, _CAPTIONS)))),
            created=_created(meta), metadata={**meta, "speaker": speaker, "people": people, "id": id_},
        )
        for (id_, _, meta), (speaker, text), session in zip(memories, spoken, sessions, strict=True)
    ]  # fmt: skip


def _sessions(memories: Sequence[Memory]) -> list[str]:
    """What was said together, as far as it can be told: by the meta, by the ids (`D3` of `D3:7`), else all of it."""
    heads = [found[1] if (found := _PLACED.fullmatch(id_)) else "" for id_, _, _ in memories]
    if len(set(heads)) > len(heads) / 2:
        heads = [""] * len(heads)  # ids that name nothing
    return [
        " ".join((*_texts(meta, _CONVERSATIONS), *(list(_texts(meta, _SESSIONS)) or filter(None, [head])))) or "all"
        for (_, _, meta), head in zip(memories, heads, strict=True)
    ]  # fmt: skip


def _dated(id_: str, text: str, meta: Mapping[str, Any]) -> Memory:
    """A time in brackets at the head of the text belongs beside it, like one of the meta."""
    found = _DATED.match(text)
    if found is None or moment(found[1] or found[2]) is None:
        return id_, text, meta
    return id_, text[found.end() :], {"date": found[1] or found[2], **meta}


def _spoken(text: str, meta: Mapping[str, Any]) -> tuple[str, str]:
    """Who speaks and what is said; a `Name: ` at the head of the text tells the first and is no part of the second."""
    speaker = next(iter(_texts(meta, _SPEAKERS)), "")
    found = _PREFIX.match(text)
    if found and (not speaker or words_of(found[1]) == words_of(speaker)):
        return speaker or found[1], text[found.end() :]
    return speaker, text


def _told(spoken: Sequence[tuple[str, str]]) -> set[str]:
    """Whom the memories are about: a few who begin many of them, or more people who between them begin most."""
    subjects = Counter(_subject(text) for _, text in spoken)
    del subjects[""]
    often = {name: count for name, count in subjects.items() if count >= max(3, _COMMON * len(spoken))}
    if sum(often.values()) > len(spoken) / 2:
        return set(often)
    return {name for name, count in often.items() if count >= _SUBJECT * len(spoken)}


def _called(texts: Sequence[str]) -> list[str]:
    """Who is addressed, where nothing tells who speaks: `Hello Ann!`, `Ann, did you`, and never written small."""
    small = {word for text in texts for word in text.split() if word.islower()} | STOP_WORDS
    called = Counter(name for text in texts for name in set(_ADDRESSED.findall(text)) if name.lower() not in small)
    return [name for name, count in called.items() if count >= max(2, _CALLED * len(texts))]


def _subject(text: str) -> str:
    """The first word, where it may be a name: `Ada` of `Ada likes tea`."""
    word = (text.split(maxsplit=1) or [""])[0].removesuffix("'s").removesuffix("\u2019s")
    return word if word.isalpha() and word.istitle() and word.lower() not in STOP_WORDS else ""


def _texts(meta: Mapping[str, Any], wanted: Sequence[str]) -> Iterator[str]:
    """The value of the shortest key for each of the words; keys of times and turns are left out."""
    keys = {key: words for key in meta if (words := _words_of_key(key)).isdisjoint((*_TIMES, "turn"))}
    for word in wanted:
        for key in sorted((key for key in keys if word in keys[key]), key=len)[:1]:
            value = meta[key]
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                yield str(value)


def _created(meta: Mapping[str, Any]) -> float | None:
    """The first of its times that can be read."""
    keys = (key for word in _TIMES for key in meta if word in _words_of_key(key))
    return next((when for key in keys if (when := moment(meta[key])) is not None), None)


def _words_of_key(key: str) -> frozenset[str]:
    """`session_1_date_time`, `sessionDateTime` -> session, date, time."""
    return frozenset(map(str.lower, _KEY_WORD.findall(key)))
