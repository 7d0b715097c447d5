"""Providers by name. A provider's module is loaded when it is chosen, never before."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ralph.errors import ConfigError

if TYPE_CHECKING:
    from ralph.core.provider import Provider
    from ralph.net import Http
    from ralph.providers.wire import ProviderSettings

KINDS = {
    "anthropic": "ralph.providers.anthropic:create",
    "openai": "ralph.providers.openai:create",
    "responses": "ralph.providers.responses:create",
    "reflex": "ralph.providers.reflex:create",
    "scripted": "ralph.providers.scripted:create",
}


def detect_kind(api_url: str) -> str:
    """The format an address speaks: by its path where that tells, by its host, else OpenAI's chat like most others."""
    address = api_url.partition("?")[0].rstrip("/").lower()
    if address.endswith("/messages"):
        return "anthropic"
    if address.endswith("/responses"):
        return "responses"
    host, _, path = address.partition("://")[2].partition("/")
    name = host.rpartition("@")[2].partition(":")[0]
    if name == "api.anthropic.com" or name.endswith(".anthropic.com") or path.split("/")[-1] == "anthropic":
        return "anthropic"
    return "openai"


def create(kind: str, settings: ProviderSettings, http: Http) -> Provider:
    """Raises ConfigError for a kind nobody knows."""
    if kind not in KINDS:
        raise ConfigError(f"unknown provider {kind!r}", hint=f"one of {', '.join(KINDS)}")
    module, _, function = KINDS[kind].partition(":")
    return cast("Provider", getattr(import_module(module), function)(settings, http))
