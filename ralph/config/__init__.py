"""Settings: what can be set (`settings`) and where it comes from (`sources`)."""

from __future__ import annotations

from ralph.config.settings import CATEGORIES, SECRET, Config, schema
from ralph.config.sources import ENVIRONMENT, FILE, Loaded, home_directory, load, read_dotenv, read_file

__all__ = [
    "CATEGORIES", "ENVIRONMENT", "FILE", "SECRET", "Config", "Loaded", "home_directory", "load", "read_dotenv",
    "read_file", "schema",
]  # fmt: skip
