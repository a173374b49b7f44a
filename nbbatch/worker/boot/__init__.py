"""How the worker gets into the container: one zip, and the command that fetches it."""
