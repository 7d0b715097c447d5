from __future__ import annotations

import subprocess
import sys

import pytest

from ralph.errors import ConfigError
from ralph.net import Http
from ralph.providers import KINDS, create, detect_kind
from ralph.providers.wire import ProviderSettings


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.anthropic.com", "anthropic"), ("https://api.anthropic.com/v1", "anthropic"),
        ("http://localhost:8080/v1/messages", "anthropic"), ("https://gw.test/v1/messages/?x=1", "anthropic"),
        ("https://api.deepseek.com/anthropic", "anthropic"), ("https://api.openai.com/v1/responses", "responses"),
        ("https://api.openai.com/v1", "openai"), ("http://127.0.0.1:11434/v1", "openai"), ("", "openai"),
        ("https://api.anthropic.com.evil.test/v1", "openai"), ("https://x.test/?u=api.anthropic.com", "openai"),
        ("https://user@api.anthropic.com:443/", "anthropic"),
    ],
)  # fmt: skip
def test_an_address_tells_its_format(url, kind):
    assert detect_kind(url) == kind


@pytest.mark.parametrize("kind", ["anthropic", "openai", "responses"])
def test_providers_are_made_by_name(kind):
    provider = create(kind, ProviderSettings(model="m", api_url="http://127.0.0.1:9/v1", api_key="k"), Http())
    assert provider.model == "m"
    assert provider.name


def test_an_unknown_provider_is_an_error_naming_the_known():
    with pytest.raises(ConfigError, match="one of anthropic, openai"):
        create("gemini", ProviderSettings(model="m"), Http())


def test_no_provider_is_loaded_before_it_is_chosen():
    code = "import sys, ralph.providers; print([name for name in sys.modules if name.startswith('ralph.providers.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(KINDS) == {"anthropic", "openai", "responses", "reflex", "scripted"}
