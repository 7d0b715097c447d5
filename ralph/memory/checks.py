"""What may be stored: said in one line when it may not, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from ralph.errors import StoreError
from ralph.memory.rows import LONG_TERM, Draft

LONGEST = 32_000_000  # characters of one text; SQLite itself ends at a thousand million bytes
LONGEST_MEMORY = 10_000
"""Characters of one memory; what is longer is a document."""
IMPORTANCES = ("low", "normal", "high", "critical")
_TEXTS = ("text", "type", "source", "importance", "scope", "session", "about")


def checked(draft: Draft, *, has_vector: bool) -> Draft:
    """The draft, if it can be stored. StoreError says what is wrong with it otherwise."""
    for name in _TEXTS:
        value = getattr(draft, name)
        if not isinstance(value, str):
            raise StoreError(f"{name} must be text, not {type(value).__name__}")
        if not _is_unicode(value):
            hint = 'read the file with errors="replace"'
            raise StoreError(f"{name} holds an unpaired surrogate: it was not valid UTF-8", hint=hint)
    if not has_vector and not draft.text.strip():
        raise StoreError("there is nothing to store: the text is empty")
    if len(draft.text) > LONGEST:
        raise StoreError(f"a text of {len(draft.text):,} characters is too long", hint="store it in pieces")
    if draft.created is not None and not isfinite(draft.created):
        raise StoreError(f"{draft.created} is not a time")
    return draft


def check_content(content: str, index: str = LONG_TERM) -> None:
    """Raises StoreError for what is no memory."""
    if not content:
        raise StoreError("there is nothing to remember: the content is empty")
    if index == LONG_TERM and len(content) > LONGEST_MEMORY:
        hint = "keep the facts it holds, or store it as a document"
        raise StoreError(f"a memory holds {LONGEST_MEMORY:,} characters at most, not {len(content):,}", hint=hint)


def check_importance(importance: str) -> None:
    if importance not in IMPORTANCES:
        raise StoreError(f"importance cannot be {importance!r}", hint=f"choose one of {', '.join(IMPORTANCES)}")


def as_json(metadata: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise StoreError(f"metadata must be a JSON object: {error}") from error
    if not _is_unicode(text):
        raise StoreError("metadata holds an unpaired surrogate: it was not valid UTF-8")
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
