"""A chat bot that remembers, on a machine of its own for each chat server."""
