"""The whole history of a public repository (encode/httpx) as actions, and git's own answers."""
