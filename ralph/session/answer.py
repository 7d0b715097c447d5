"""Does the last answer have the form the person asked for? JSON Schema, judged by the jsonschema library."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ralph.errors import ConfigError

REPAIRS = 2
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)


def read_schema(path: Path) -> dict[str, Any]:
    """The schema in a file, itself checked. Raises ConfigError."""
    import jsonschema

    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except OSError as error:
        raise ConfigError(f"cannot read the schema {path}: {error.strerror}", hint="check the path") from error
    except ValueError as error:
        raise ConfigError(f"the schema {path} is not valid JSON: {error}", hint="fix the file") from error
    except jsonschema.SchemaError as error:
        raise ConfigError(f"{path} is not a JSON Schema: {error.message}", hint="fix the file") from error
    if not isinstance(schema, dict):
        raise ConfigError(f"the schema {path} must be a JSON object", hint="fix the file")
    return schema


def fit(text: str, schema: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The answer as a value and what is wrong with it (nothing: it fits). A fenced block in prose is accepted."""
    import jsonschema

    fenced = _FENCE.findall(text)
    try:
        value = json.loads(fenced[-1] if fenced else text)
    except ValueError as error:
        return None, [f"the answer is not JSON: {error}"]
    found = jsonschema.validators.validator_for(schema)(schema).iter_errors(value)
    return value, [f"{error.json_path}: {error.message[:200]}" for error in found][:10]


def repair_request(problems: list[str]) -> str:
    """What the model is told when its answer does not fit."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return f"Your answer does not fit the schema:\n{listed}\nAnswer again: the JSON value alone, no prose, no fence."
