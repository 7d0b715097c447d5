"""Which model answers: what was set wins, then what the keys allow, then a local server, then the reflexes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ralph.config import Config
from ralph.errors import ConfigError
from ralph.providers import KINDS, detect_kind
from ralph.providers.detect import Found

ANTHROPIC_URL = "https://api.anthropic.com"
OPENAI_URL = "https://api.openai.com/v1"
DEFAULT_MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-5-mini", "responses": "gpt-5-mini"}


@dataclass(frozen=True, slots=True)
class Choice:
    """`why` is shown to the person when the choice was not theirs."""

    kind: str
    model: str
    api_url: str = ""
    api_key: str = ""
    why: str = ""


async def choose(config: Config, find_local: Callable[[], Awaitable[Found | None]]) -> Choice:
    """Raises ConfigError when what was asked for cannot be had, such as a model whose key is missing."""
    kind, model = _named(config)
    if kind in ("scripted", "reflex"):
        return Choice(kind, model or kind)
    if config.api_url:
        found = kind or detect_kind(config.api_url)
        key = config.anthropic_api_key if found == "anthropic" else config.openai_api_key
        return Choice(found, model or DEFAULT_MODELS.get(found, ""), config.api_url, key)
    if not kind:
        kind = _by_model(model) or _by_key(config)
    if kind == "anthropic":
        _need(config.anthropic_api_key, "ANTHROPIC_API_KEY", config.anthropic_api_url)
        url = config.anthropic_api_url or ANTHROPIC_URL
        return Choice(kind, model or DEFAULT_MODELS[kind], url, config.anthropic_api_key)
    if kind:
        _need(config.openai_api_key, "OPENAI_API_KEY", config.openai_api_url)
        return Choice(kind, model or DEFAULT_MODELS[kind], config.openai_api_url or OPENAI_URL, config.openai_api_key)
    local = await find_local()
    if local is not None:
        chosen = model or (local.models[0] if local.models else "")
        return Choice("openai", chosen, local.base_url, why=f"using {local.name} at {local.base_url}, model {chosen}")
    if model:
        raise ConfigError(
            f"no key and no local server for the model {model!r}",
            hint="set ANTHROPIC_API_KEY or OPENAI_API_KEY, start a local server, or give --api-url",
        )
    return Choice("reflex", "reflex")


def _named(config: Config) -> tuple[str, str]:
    """Provider and model as the person named them; `provider:model` counts only where provider is one of ours."""
    prefix, colon, rest = config.model.partition(":")
    if colon and prefix in KINDS:
        return prefix, rest
    if config.model == "reflex":
        return "reflex", ""
    if config.provider not in ("auto", *KINDS):
        raise ConfigError(f"unknown provider {config.provider!r}", hint=f"one of auto, {', '.join(KINDS)}")
    return ("" if config.provider == "auto" else config.provider), config.model


def _by_model(model: str) -> str:
    if model.startswith("claude"):
        return "anthropic"
    return "openai" if model.startswith(("gpt-", "o1", "o3", "o4", "chatgpt")) else ""


def _by_key(config: Config) -> str:
    if config.anthropic_api_key:
        return "anthropic"
    return "openai" if config.openai_api_key or config.openai_api_url else ""


def _need(key: str, name: str, url: str) -> None:
    """A key of the service's own endpoint must be there; other endpoints may do without."""
    if not key.strip() and not url:
        raise ConfigError(f"{name} is not set", hint=f"export {name}=..., or choose another model with -m")
