"""Faces: the terminal, JSON lines, and who answers questions."""
