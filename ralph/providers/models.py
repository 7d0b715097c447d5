"""What a model can do and what it costs: rows of a dated table (models.json), the person's own rows over them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from ralph.core.messages import Usage
from ralph.errors import ConfigError

Price = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """`context`, `output`: tokens; `output` None: the server decides. `name` empty: the model is in no table.

    thinking: how it is asked for: `budget` or `adaptive` (Anthropic), `effort` (others), empty when not known.
    price: (from, input, output, cache read, cache write), USD per million tokens, valid for requests of more than
    `from` input tokens; none when not known.
    """

    name: str = ""
    context: int = 32_768
    output: int | None = None
    tools: bool = True
    thinking: str = ""
    images: bool = False
    price: tuple[Price, ...] = ()


UNKNOWN = ModelRow()
VENDOR_HOSTS = {
    "api.anthropic.com": "anthropic", "api.openai.com": "openai", "generativelanguage.googleapis.com": "google",
    "api.groq.com": "groq", "api.deepseek.com": "deepseek", "api.mistral.ai": "mistral", "api.x.ai": "x-ai",
    "api.moonshot.ai": "moonshotai", "api.z.ai": "zai",
}  # fmt: skip
_DATE = re.compile(r"[-@:](20\d\d[\d-]*|latest)$|-v\d+:\d+$")


def row(model: str, rows: Mapping[str, Mapping[str, Any]] | None = None, api_url: str = "") -> ModelRow:
    """The row of a model, of its nearest relative, or sane defaults; fields of the person's own row win.

    A model on this machine or network has no price, whatever others charge for one of the same name.
    Raises ConfigError when the person's row has a field that no row has.
    """
    host = _host(api_url)
    known = _find(model, VENDOR_HOSTS.get(host, "")) or UNKNOWN
    if _is_near(host):
        known = replace(known, price=())
    own = (rows or {}).get(model)
    return _merge(known, model, own) if own else known


def cost(usage: Usage, known: ModelRow) -> float | None:
    """USD of one request, None when the price or the usage is not known. Source: the vendors' price pages."""
    if not known.price or usage.input is None:
        return None
    _, fresh, output, read, write = [price for price in known.price if price[0] < max(usage.input, 1)][-1]
    uncached = max(0, usage.input - usage.cache_read - usage.cache_write)
    spent = uncached * fresh + (usage.output or 0) * output + usage.cache_read * read + usage.cache_write * write
    return spent / 1_000_000


def table_date() -> str:
    return str(_table()["date"])


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(Path(__file__).with_name("models.json").read_text("utf-8"))
    return table


@cache
def _find(model: str, vendor: str) -> ModelRow | None:
    """By the longest name in the table that the model's name starts with, else contains; its vendor's rows first."""
    vendors: Mapping[str, list[dict[str, Any]]] = _table()["vendors"]
    name = plain(model)
    for tables in ([vendors[vendor]] if vendor else [], vendors.values()):
        found = [(_fit(key, name), len(key), entry) for rows in tables for entry in rows for key in entry["names"]]
        fit, _, entry = max(found, key=lambda item: item[:2], default=(0, 0, {}))
        if fit:
            facts = {key: value for key, value in entry.items() if key not in ("names", "price")}
            return ModelRow(entry["names"][0], price=tuple(map(tuple, entry.get("price", ()))), **facts)
    return None


def plain(model: str) -> str:
    """A model's name without maker, dots and date: `anthropic/claude-sonnet-4.5-20250929` is `claude-sonnet-4-5`."""
    name = model.strip().lower().rpartition("/")[2].replace(".", "-")
    while (shorter := _DATE.sub("", name)) != name:
        name = shorter
    return name.replace(":", "-")


def _fit(key: str, name: str) -> int:
    """3: the same name, 2: a beginning of it, 1: a part of it, 0: neither. Parts end where a word ends."""
    start = name.find(key) if len(key) > 5 else 0 if name.startswith(key) else -1
    if start < 0 or name[start + len(key) : start + len(key) + 1].isalnum() or name[:start][-1:].isalnum():
        return 0
    return 1 if start else 2 + (len(key) == len(name))


def _merge(known: ModelRow, model: str, own: Mapping[str, Any]) -> ModelRow:
    names = [item.name for item in fields(ModelRow) if item.name != "name"]
    for key in own:
        if key not in names:
            raise ConfigError(f"models.{model}: unknown field {key!r}", hint=f"one of {', '.join(names)}")
    values = dict(own)
    try:
        if "price" in values:
            price = values["price"] or {}
            first = float(price["input"]) if price else 0.0
            read, write = float(price.get("cache_read", first)), float(price.get("cache_write", first))
            values["price"] = ((0.0, first, float(price["output"]), read, write),) if price else ()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        hint = 'write it as {"input": 3, "output": 15}, USD per million tokens'
        raise ConfigError(f"models.{model}: the price cannot be read", hint=hint) from error
    return replace(known, name=known.name or model, **values)


def _host(api_url: str) -> str:
    authority = api_url.lower().partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    return authority.partition("]")[0] + "]" if authority[:1] == "[" else authority.partition(":")[0]


def _is_near(host: str) -> bool:
    """Loopback, a private network or a name without dots: nobody sends a bill."""
    if re.fullmatch(r"[\d.]+", host):
        return re.match(r"127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|0\.0\.0\.0", host) is not None
    return host.endswith((".local", ".internal", ".lan")) or ("." not in host and host != "")
