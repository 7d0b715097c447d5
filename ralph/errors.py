"""The error tree, by audience.

    RalphError                 shown to the person in one line: what went wrong, then what to do
    ├─ ConfigError             a setting, flag or file of settings (exit 2)
    ├─ ProviderError           the model's service; `retryable` picks exit 75 or 5
    ├─ LimitReached            steps, money or time the person set (exit 3)
    ├─ SchemaNotMet            the answer does not fit --output-schema (exit 10)
    ├─ StoreError              the home directory, a session file or a database (exit 2)
    └─ Interrupted             Ctrl+C or a closed terminal (exit 130)
    ToolError                  a result for the model; never shown as a crash

Anything else that is raised is a bug and is shown as one (exit 1).
"""

from __future__ import annotations

from typing import Literal


class RalphError(Exception):
    """One line for the person. `hint` says what to do; `code` is stable and goes into `--json`."""

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class ConfigError(RalphError):
    exit_code = 2
    code = "config"


ProviderErrorKind = Literal["auth", "bad_request", "not_found", "too_long", "limit", "overloaded", "network", "broken"]


class ProviderError(RalphError):
    """`kind` is the cause. `limit`, `overloaded`, `network` and `broken` are worth retrying later (exit 75)."""

    code = "provider"

    def __init__(
        self, message: str, *, kind: ProviderErrorKind, hint: str = "", status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind: ProviderErrorKind = kind
        self.status = status
        self.code = f"provider_{kind}"

    @property
    def retryable(self) -> bool:
        return self.kind in ("limit", "overloaded", "network", "broken")

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class constant elsewhere, depends on the cause here
        return 75 if self.retryable else 5


class LimitReached(RalphError):
    """`code` is `max_steps`, `max_cost`, `timeout` or `repetition`."""

    exit_code = 3

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class SchemaNotMet(RalphError):
    exit_code = 10
    code = "schema_not_met"


class StoreError(RalphError):
    exit_code = 2
    code = "store"


class Interrupted(RalphError):
    exit_code = 130
    code = "interrupted"


class ToolError(Exception):
    """A failure the model should read: say what is wrong and what would work. Never carries a secret."""
