"""The history as data: 4,560 file changes in 1,412 commits, and digests that git gave.

``actions.jsonl.gz`` has one file change a line, in order. ``trees.json.gz`` has, for every 50th
commit and the last, the SHA-256 over the sorted lines ``<path> <blob>`` of ``git ls-tree -r``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its number from 1, and its changes as actions of `machines.repository`."""

    number: int
    actions: tuple[dict[str, object], ...]

    @property
    def body(self) -> str:
        """The commit as a message body."""
        return json.dumps(self.actions)


@cache
def commits() -> tuple[Commit, ...]:
    """All commits, oldest first."""
    with gzip.open(HERE / "actions.jsonl.gz", "rt", encoding="utf-8") as lines:
        changes = [json.loads(line) for line in lines]
    return tuple(
        Commit(number, tuple(_action(change) for change in group))
        for number, group in groupby(changes, key=lambda change: int(change["commit"]))
    )


@cache
def git_digests() -> dict[int, str]:
    """Git's digest of the tree after a number of actions, where it is known."""
    with gzip.open(HERE / "trees.json.gz", "rt", encoding="utf-8") as file:
        trees = json.load(file)["trees"]
    return {tree["actions"]: tree["digest"] for tree in trees.values()}


def tree_after(actions: int) -> dict[str, str]:
    """Path → blob after that many actions, folded straight from the file."""
    tree: dict[str, str] = {}
    changes = [action for commit in commits() for action in commit.actions]
    for action in changes[:actions]:
        args = action["args"]
        assert isinstance(args, dict)
        if action["type"] == "put":
            tree[args["path"]] = args["blob"]
        else:
            tree.pop(args["path"], None)
    return tree


def digest_of(tree: Mapping[str, str]) -> str:
    """SHA-256 over the sorted lines ``<path> <blob>``, as git's answers were made."""
    return sha256("".join(_lines(tree.items())).encode()).hexdigest()


def _lines(entries: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(f"{path} {blob}\n" for path, blob in entries)


def _action(change: dict[str, object]) -> dict[str, object]:
    names = ("path", "blob", "size") if change["type"] == "put" else ("path",)
    return {"type": change["type"], "args": {name: change[name] for name in names}}
