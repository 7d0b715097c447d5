"""Ralph, a terminal-first AI agent."""

__version__ = "0.1.0"
