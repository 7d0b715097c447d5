from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ralph.core.messages import Usage
from ralph.errors import ConfigError
from ralph.providers import models
from ralph.providers.models import ModelRow, cost, plain, row, table_date

TABLE = Path(models.__file__).with_name("models.json")


def test_the_table_is_small_dated_and_sound():
    table = json.loads(TABLE.read_text("utf-8"))
    assert TABLE.stat().st_size <= 60_000
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", table_date())
    assert {"anthropic", "openai", "google", "groq", "deepseek", "mistral", "x-ai"} <= set(table["vendors"])
    assert set(models.VENDOR_HOSTS.values()) <= set(table["vendors"])
    for entry in (entry for rows in table["vendors"].values() for entry in rows):
        assert all(name == plain(name) for name in entry["names"])
        known = row(entry["names"][0])
        assert known.context >= 4096
        assert known.output is None or known.output <= known.context
        assert [price[0] for price in known.price] == sorted({price[0] for price in known.price})
        assert all(amount >= 0 for price in known.price for amount in price)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"), ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"), ("CLAUDE-OPUS-4-1@20250805", "claude-opus-4-1"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"), ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-4.1-mini", "gpt-4-1-mini"), ("gpt-4o", "gpt-4o"), ("gpt-4o-mini", "gpt-4o-mini"), ("o3-mini", "o3-mini"),
        ("gpt-oss:20b", "gpt-oss-20b"), ("claude-someday-99", "claude"),
        ("qwen3:8b", ""), ("", ""), ("foo3", ""), ("gpt-4omega", ""), ("solo3-mini", ""),
    ],
)  # fmt: skip
def test_a_model_is_found_by_its_name(model, name):
    known = row(model)
    assert (name in (known.name, plain(known.name))) if name else known == models.UNKNOWN


def test_facts_of_a_known_model():
    known = row("claude-sonnet-4-5")
    assert (known.context, known.output, known.thinking) == (200_000, 64_000, "budget")
    assert known.tools
    assert known.images
    assert known.price[0] == (0, 3.0, 15.0, 0.3, 3.75)
    assert row("claude-opus-4-7").thinking == "adaptive"
    assert row("gpt-5").thinking == "effort"


def test_an_unknown_model_gets_tools_and_no_price():
    assert row("my-own-model") == ModelRow("", 32_768, None, True, "", False, ())


def test_a_vendor_asks_its_own_price_and_this_machine_none():
    elsewhere, groq = row("openai/gpt-oss-120b"), row("openai/gpt-oss-120b", api_url="https://api.groq.com/openai/v1")
    assert elsewhere.price != groq.price
    assert elsewhere.context == groq.context
    near = ["http://localhost:1/v1", "http://127.0.0.1:8080", "http://[::1]:80/", "http://192.168.1.2/v1", "http://box:1",
            "http://10.0.0.1", "http://172.16.0.9", "http://gpu.local/"]  # fmt: skip
    for url in near:
        assert row("gpt-oss-120b", api_url=url).price == (), url
        assert row("gpt-oss-120b", api_url=url).context == 131_072
    for url in ("https://gateway.test/v1", "http://172.99.0.1/", "https://10.example.test/", ""):
        assert row("gpt-oss-120b", api_url=url).price, url


def test_the_persons_row_wins_field_by_field():
    rows = {"claude-sonnet-4-5": {"context": 1000, "price": {"input": 1, "output": 2}}, "mine": {"tools": False}}
    known = row("claude-sonnet-4-5", rows)
    assert (known.context, known.output, known.price) == (1000, 64_000, ((0.0, 1.0, 2.0, 1.0, 1.0),))
    assert (row("mine", rows).name, row("mine", rows).tools) == ("mine", False)
    price = {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 1.5}
    priced = row("m", {"m": {"price": price}}, "http://localhost/")
    assert priced.price == ((0.0, 1.0, 2.0, 0.1, 1.5),)
    assert row("gpt-5", {"gpt-5": {"price": None}}).price == ()


@pytest.mark.parametrize(
    "own", [{"contxt": 1}, {"price": {"input": 1}}, {"price": 3}, {"price": {"input": "x", "output": 1}}]
)
def test_a_row_that_cannot_be_read_is_an_error_naming_it(own):
    with pytest.raises(ConfigError, match=r"models\.m"):
        row("m", {"m": own})


def test_cost_counts_each_token_once():
    known = ModelRow(price=((0.0, 3.0, 15.0, 0.3, 3.75),))
    assert cost(Usage(1_000_000, 0), known) == pytest.approx(3.0)
    assert cost(Usage(1_000_000, 100_000, 600_000, 200_000), known) == pytest.approx(0.6 + 1.5 + 0.18 + 0.75)
    assert cost(Usage(10, None), known) == pytest.approx(30e-6)


def test_cost_is_unknown_without_price_or_usage():
    assert cost(Usage(10, 10), ModelRow()) is None
    assert cost(Usage(), ModelRow(price=((0.0, 3.0, 15.0, 0.3, 3.75),))) is None


def test_long_requests_may_cost_more():
    known = ModelRow(price=((0.0, 1.0, 0.0, 0.0, 0.0), (200_000.0, 2.0, 0.0, 0.0, 0.0)))
    assert cost(Usage(100_000, 0), known) == pytest.approx(0.1)
    assert cost(Usage(200_000, 0), known) == pytest.approx(0.2)
    assert cost(Usage(200_001, 0), known) == pytest.approx(0.400002)
