"""Measure recall with a question set: JSON lines, `{"id","text","meta":{}}` for a memory, `{"query","relevant":[ids]}`.

The set is stored in a home of its own and asked through the same `Recall` that tools and prompts use, without a
threshold. A hit that near-duplicates were folded into counts as itself and then each of them, one place each.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ralph.errors import ConfigError, StoreError
from ralph.memory.checks import as_json
from ralph.memory.drafts import drafts_of
from ralph.memory.embed import TextEmbedder, catch_up
from ralph.memory.ranking import Weights
from ralph.memory.recall import Found, Recall
from ralph.memory.rows import LONG_TERM, IndexSpec
from ralph.memory.store import Store

SAMPLE = Path(__file__).parent / "data" / "sample.jsonl"
DEPTHS = (1, 5, 10, 20)
LONG_WORD = 5
_FORM = 'a line is {"id","text","meta":{}} or {"query","relevant":[ids]}'
_KINDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "a text"}
T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""What was done, how often by now, how often in all."""


def _quietly(_what: str, _done: int, _all: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """memories: (id, text, meta). questions: (query, relevant ids)."""

    memories: Sequence[tuple[str, str, Mapping[str, Any]]]
    questions: Sequence[tuple[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Report:
    """recall: depth -> mean share of the relevant found by then. mrr: mean of 1 / place of the first relevant.

    ms, p95_ms: per question, wall. tokens: mean size of ten hits, estimated at four characters each.
    unknown: ids that questions name and no memory has; empty: memories without a text. Both count as not found.
    """

    memories: int
    questions: int
    mode: str
    recall: Mapping[int, float]
    mrr: float
    ms: float
    p95_ms: float
    tokens: float
    store_s: float
    embed_s: float
    missed: Sequence[str] = field(default_factory=tuple)
    unknown: int = 0
    empty: int = 0

    def as_json(self) -> dict[str, Any]:
        rows = {f"recall@{depth}": round(value, 4) for depth, value in self.recall.items()}
        return {
            "memories": self.memories, "questions": self.questions, "mode": self.mode, **rows,
            "mrr": round(self.mrr, 4), "ms_per_query": round(self.ms, 2), "p95_ms": round(self.p95_ms, 2),
            "tokens_per_query": round(self.tokens, 1), "store_s": round(self.store_s, 2),
            "embed_s": round(self.embed_s, 2), **({"unknown_ids": self.unknown} if self.unknown else {}),
            **({"empty_texts": self.empty} if self.empty else {}),
        }  # fmt: skip


def load(lines: Iterable[str], name: str = "the question set") -> QuestionSet:
    """ConfigError names the first line that is neither a memory nor a question."""
    memories: list[tuple[str, str, Mapping[str, Any]]] = []
    questions: list[tuple[str, frozenset[str]]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _typed(json.loads(line), dict)
            if "query" in row:
                questions.append((_typed(row["query"], str), frozenset(map(str, _typed(row["relevant"], list)))))
            else:
                meta = _typed(row.get("meta") or {}, dict)
                as_json({**meta, "text": row["text"]})
                memories.append((str(row["id"]), "" if row["text"] is None else str(row["text"]), meta))
        except KeyError as error:
            raise ConfigError(f"{name}, line {number} has no {error}", hint=_FORM) from error
        except (ValueError, TypeError, StoreError) as error:
            raise ConfigError(f"{name}, line {number} cannot be used ({error})", hint=_FORM) from error
    if not questions:
        raise ConfigError(f"{name} holds no questions", hint='a question is {"query","relevant":[ids]}')
    return QuestionSet(memories, questions)


def _typed(value: Any, kind: type[T]) -> T:
    if isinstance(value, kind):
        return value
    raise TypeError(f"{json.dumps(value, ensure_ascii=False)[:40]} where {_KINDS[kind]} belongs")


def load_file(path: Path) -> QuestionSet:
    """Raises ConfigError."""
    try:
        return load(path.read_text(encoding="utf-8-sig").split("\n"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 ({error.reason} at byte {error.start})") from error


def measure(
    questions: QuestionSet, home: Path, *, embedder: TextEmbedder | None = None, index: str = LONG_TERM,
    typos: bool = False, weights: Weights | None = None, progress: Progress = _quietly,
) -> Report:  # fmt: skip
    """Store the set in `home`, which must be empty, and ask all of it. Same set, same report, but for the times."""
    unknown = _unknown(questions)
    store = Store(home)
    recall = Recall(store, embedder=embedder, lasting=True, weights=weights)
    try:
        if index not in {spec.name for spec in store.definitions.list()}:
            store.definitions.create(IndexSpec(index))
        started = time.perf_counter()
        told = [memory for memory in questions.memories if memory[1].strip()]
        drafts = drafts_of(told)
        for first in range(0, len(drafts), 500):
            store.add(index, drafts[first : first + 500])
        stored = time.perf_counter()
        if embedder is not None:
            catch_up(store, index, embedder, progress=lambda done: progress("embedded", done, len(drafts)))
        embedded = time.perf_counter()
        asked = [(misspelt(query) if typos else query, relevant) for query, relevant in questions.questions]
        report = ask(recall, asked, index, len(drafts), (stored - started, embedded - stored), progress)
        return replace(report, unknown=unknown, empty=len(questions.memories) - len(told))
    finally:
        recall.close()
        store.close()


def ask(
    recall: Recall, questions: Sequence[tuple[str, frozenset[str]]], index: str, size: int,
    spent: tuple[float, float] = (0.0, 0.0), progress: Progress = _quietly,
) -> Report:  # fmt: skip
    """Ask an index that is filled already. Ids are those of the documents, or `metadata.id` where there is one."""
    totals = dict.fromkeys(DEPTHS, 0.0)
    inverse, tokens = 0.0, 0
    seconds: list[float] = []
    missed: list[str] = []
    mode = ""
    for number, (query, relevant) in enumerate(questions, 1):
        started = time.perf_counter()
        found = recall(query, max(DEPTHS), index=index)
        seconds.append(time.perf_counter() - started)
        ranking, mode = _ids(found, recall), found.mode
        for depth in DEPTHS:
            totals[depth] += len(relevant & set(ranking[:depth])) / (len(relevant) or 1)
        place = next((place for place, id_ in enumerate(ranking, 1) if id_ in relevant), 0)
        inverse += 1 / place if place else 0.0
        if not relevant & set(ranking[:10]):
            missed.append(query)
        tokens += sum(len(hit.document.text) // 4 + 1 for hit in found.hits[:10])
        progress("asked", number, len(questions))
    count = len(questions)
    return Report(
        size, count, mode, {depth: total / count for depth, total in totals.items()}, inverse / count,
        1000 * sum(seconds) / count, 1000 * sorted(seconds)[int(0.95 * (count - 1))], tokens / count, *spent, missed,
    )  # fmt: skip


def misspelt(query: str, seed: int = 7) -> str:
    """One slip of the fingers in every word of five letters or more, always the same one for the same question."""
    chance = random.Random(f"{seed}{query}")

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        place = chance.randrange(1, len(word) - 1)
        letter = chance.choice("abcdefghijklmnopqrstuvwxyz")
        return chance.choice((
            word[:place] + word[place + 1 :], word[:place] + letter + word[place:],
            word[:place] + letter + word[place + 1 :], word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        ))  # fmt: skip

    return re.sub(rf"[^\W\d_]{{{LONG_WORD},}}", slip, query)


def _ids(found: Found, recall: Recall) -> list[str]:
    ids: list[str] = []
    for hit in found.hits:
        ids.append(str(hit.document.metadata.get("id", hit.document.id)))
        ids += [str(other.metadata.get("id", other.id)) for other in recall.documents(hit.also)]
    return ids


def _unknown(questions: QuestionSet) -> int:
    """How many ids the questions name that no memory has. A set may mean it so: what no memory tells is not found."""
    known = {id_ for id_, _, _ in questions.memories}
    named = {id_ for _, relevant in questions.questions for id_ in relevant}
    if named and named.isdisjoint(known):
        raise ConfigError(f"no memory has any of the ids that the questions name, like {min(named)!r}",
                          hint="do memories and questions belong together?")  # fmt: skip
    return len(named - known)
