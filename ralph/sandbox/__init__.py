"""Run a child with less authority, and say only what was seen to hold."""
