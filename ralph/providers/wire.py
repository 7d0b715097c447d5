"""What every provider that is reached over HTTP shares: streaming, ending, retries and errors with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ralph.core.assemble import Assembler


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a provider is made from. Each provider's module has `create(settings, http) -> Provider`.

    `rows`: the person's own rows of the model table, by model name. `extra`: fields for the request body as they are.
    `max_tokens`, `thinking` None: as the model's row says. `thinking`: off, low, medium, high or a number of tokens.
    """

    model: str
    api_url: str = ""
    api_key: str = ""
    max_tokens: int | None = None
    thinking: str | None = None
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Decoder(Protocol):
    """Folds the events of one answer into `assembler` and sets `assembler.finished` when the wire says it is whole."""

    assembler: Assembler

    def feed(self, event: str, data: str) -> None:
        """Takes one server event. A whole answer of a server that does not stream comes as the event `json`.

        Raises ProviderError for an error event and for data that is no JSON.
        """
