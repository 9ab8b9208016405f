"""A file tree that is edited path by path, as version control sees it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from blockfold import Context, Machine, Reject, State, action

Path = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^/].*[^/]$|^[^/]$")]
Blob = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]
Size = Annotated[int, Meta(ge=0)]


class Repository(Machine):
    """A repository: each key is a path, its value the blob that stands there and its size."""

    @action
    def put(self, state: State, context: Context, path: Path, blob: Blob, size: Size) -> None:
        """Write a file."""
        state[path] = {"blob": blob, "size": size}

    @action
    def delete(self, state: State, context: Context, path: Path) -> None:
        """Remove a file that is there."""
        if path not in state:
            raise Reject(f"there is no {path}")
        del state[path]
