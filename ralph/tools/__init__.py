"""What the model can do: tool files and built-in tools."""
