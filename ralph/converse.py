"""The REPL's side of a session: turns, and what slash commands need."""
