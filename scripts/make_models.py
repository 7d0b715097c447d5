"""Write ralph/providers/models.json from the genai-prices package. Run it in an environment of its own:

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    /tmp/prices/bin/python scripts/make_models.py

Windows and prices are the package's; what it does not know (answer limits, thinking, images, some windows) is in
FAMILIES here, after the vendors' model pages. A price is [from, input, output, cache read, cache write]: USD per
million tokens, valid for requests of more than `from` input tokens.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

TARGET = Path(__file__).parent.parent / "ralph" / "providers" / "models.json"
VENDORS = ("anthropic", "openai", "google", "groq", "deepseek", "mistral", "x-ai", "moonshotai", "zai")
NO_CHAT = re.compile(
    r"embed|tts|whisper|audio|realtime|transcri|moderation|image|live|ocr|voxtral|guard|orpheus|^ft:|instruct$|^ada"
    r"|babbage|curie|davinci|computer-use|voice|robotics|vision|search|omni|banana|claude-(1|2|v1)|gemini-1|^gemini-pro"
    r"|gpt-3|llama2|llama3-|gemma-7b|gemma2|maverick-17b-128e$|:free$|:extended$"
)
FAMILIES: list[tuple[str, dict[str, object]]] = [
    (r"claude-3-(haiku|opus|sonnet)", {"output": 4096, "images": True}),
    (r"claude-3-5", {"output": 8192, "images": True}),
    (r"claude-opus-4-[01]", {"output": 32000, "images": True, "thinking": "budget"}),
    (r"claude-(3-7-sonnet|(sonnet|haiku|opus)-4-[05])", {"output": 64000, "images": True, "thinking": "budget"}),
    (r"claude-", {"output": 64000, "images": True, "thinking": "adaptive"}),
    (r"gpt-oss", {"output": 32768, "thinking": "effort"}),
    (r"gpt-4\.1", {"output": 32768, "images": True}),
    (r"gpt-4o|chatgpt-4o", {"output": 16384, "images": True}),
    (r"gpt-4", {"output": 4096}),
    (r"gpt-[5-9]", {"context": 400000, "output": 128000, "images": True, "thinking": "effort"}),
    (r"o[134]($|-)", {"output": 100000, "images": True, "thinking": "effort"}),
    (r"gemini-2\.0", {"context": 1000000, "output": 8192, "images": True}),
    (r"gemini-", {"context": 1000000, "output": 65536, "images": True, "thinking": "effort"}),
    (r"gemma-3n|gemma-[34]", {"images": True}),
    (r"grok-4", {"images": True}),
    (r"o1-(mini|preview)|deepseek-r1-distill", {"tools": False}),
]


def main() -> None:
    from genai_prices.data_snapshot import get_snapshot

    found: dict[str, list[dict[str, object]]] = {}
    providers = {provider.id: provider for provider in get_snapshot().providers}
    for vendor in VENDORS:
        rows = []
        for model in providers[vendor].models:
            maker = model.id.rpartition("/")[2]
            if not NO_CHAT.search(maker) and not (vendor == "google" and maker.startswith("claude")):
                rows.append(row(model, maker))
        found[vendor] = rows
    found["anthropic"].append({"names": ["claude"], "context": 200000, **FAMILIES[4][1], "output": 32000})  # newer ones
    found["google"].append({"names": ["gemini"], "context": 1000000, "images": True})
    table = {
        "date": datetime.now(UTC).date().isoformat(), "source": f"genai-prices {version('genai-prices')}",
        "vendors": found,
    }  # fmt: skip
    lines = json.dumps(table, separators=(",", ":"), ensure_ascii=True)
    TARGET.write_text(re.sub(r'(\{"names"|"vendors")', r"\n\1", lines) + "\n")
    sys.stdout.write(f"{TARGET}: {sum(map(len, found.values()))} models, {TARGET.stat().st_size} bytes\n")


def row(model: object, maker: str) -> dict[str, object]:
    names = {maker.lower(), *(name.lower().rpartition("/")[2] for name in names_of(model.match))}
    own = maker.lower().replace(".", "-")
    values: dict[str, object] = {"names": sorted(short(names), key=lambda name: (name != own, len(name), name))}
    values.update(next((facts for pattern, facts in FAMILIES if re.match(pattern, maker.lower())), {}))
    if model.context_window:
        values["context"] = model.context_window
    if prices := tiers(model.get_prices(datetime.now(UTC))):
        values["price"] = prices
    return values


def names_of(match: object) -> list[str]:
    """Whole names and beginnings of names that mean this model."""
    if hasattr(match, "or_"):
        return [name for part in match.or_ for name in names_of(part)]
    text = getattr(match, "equals", None) or getattr(match, "starts_with", None)
    return [text.rstrip("-@:")] if text and "latest" not in text else []


def short(names: set[str]) -> set[str]:
    """Dates, dots and beginnings are understood by the reader of the table, so that they need no names of their own."""
    plain = {re.sub(r"[-@:]?(20\d\d[\d-]*|latest)$", "", name.replace(".", "-")).replace(":", "-") for name in names}
    return {name for name in plain if not any(name != other and name.startswith(f"{other}-") for other in plain)}


def tiers(price: object) -> list[list[float]]:
    parts = [price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok]
    if parts[0] is None or parts[1] is None:
        return []
    starts = sorted({0} | {tier.start for part in parts for tier in getattr(part, "tiers", ())})
    rows = []
    for start in starts:
        at = [amount(part, start) for part in parts]
        read = at[0] if at[2] is None else at[2]
        write = at[0] if at[3] is None else at[3]
        rows.append([start, at[0], at[1], read, write])
    return rows


def amount(part: object, start: int) -> float | None:
    if part is None:
        return None
    if not hasattr(part, "tiers"):
        return float(part)
    fitting = [tier.price for tier in part.tiers if tier.start <= start]
    return float(fitting[-1] if fitting else part.base)


main()
