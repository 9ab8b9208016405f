"""What the world outside knows of a soak: all that was acknowledged, asked for, and read.

Nothing in it comes from the stack's own stores, so the stores can be held against it. Each entry
is also appended to ``ledger.jsonl``, the evidence of a soak that found something.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True)
class Sent:
    """A message that the queue acknowledged, with the ids of its actions in order."""

    machine: str
    message: str
    sequence: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """A restore or fork that the function acknowledged."""

    source: str
    block: int
    machine: str
    number: int
    hash: str
    digest: str


@dataclass(frozen=True)
class Seen:
    """A state, whole or in part, as a reader told it; `key` None is the whole."""

    machine: str
    number: int
    digest: str
    entries: dict[str, Any]
    key: str | None = None


@dataclass(frozen=True)
class Dumped:
    """A snapshot that the dumper acknowledged, of this very block."""

    machine: str
    number: int


@dataclass
class Ledger:
    """All entries by kind; safe to use from many threads.

    Attributes:
        file: Where each entry is written down as well.
        counts: What happened how often, by name.
        asked: (source, block, machine) of every restore or fork that was ever asked for.
        hashes: Hash of each block that somebody read, by machine and number.
        violations: What was wrong already while the soak ran.
        machines: Those that there are, in the order in which they came.
        backlog: Messages that waited when somebody last looked.
    """

    file: TextIO
    sent: list[Sent] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    dumped: list[Dumped] = field(default_factory=list)
    asked: set[tuple[str, int, str]] = field(default_factory=set)
    hashes: dict[tuple[str, int], str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    backlog: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def at(cls, folder: Path) -> Ledger:
        """An empty one, written down in `folder`."""
        return cls((folder / "ledger.jsonl").open("w"))

    @property
    def done(self) -> int:
        """How many messages have left the queue, more or less."""
        return len(self.sent) - self.backlog

    def note(self, entry: Sent | Restored | Seen | Dumped) -> None:
        """Keep an entry."""
        with self._lock:
            match entry:
                case Sent():
                    self.sent.append(entry)
                case Restored():
                    self.restored.append(entry)
                    if entry.machine not in self.machines:
                        self.machines.append(entry.machine)
                case Seen():
                    self.seen.append(entry)
                case Dumped():
                    self.dumped.append(entry)
            self._write(type(entry).__name__, asdict(entry))

    def ask(self, source: str, block: int, machine: str) -> None:
        """Keep that a restore is about to be asked for: it may happen, whatever is answered."""
        with self._lock:
            self.asked.add((source, block, machine))
            self._write("Asked", {"source": source, "block": block, "machine": machine})

    def block(self, machine: str, number: int, hash_: str) -> None:
        """Keep the hash of a block; a block that has two is a violation."""
        with self._lock:
            known = self.hashes.setdefault((machine, number), hash_)
        if known != hash_:
            self.violate(f"block {number} of {machine} was {known}, then {hash_}")

    def count(self, name: str, much: int = 1) -> None:
        """Count something that happened."""
        with self._lock:
            self.counts[name] += much

    def tell(self, line: str) -> None:
        """Write a line of the story down."""
        with self._lock:
            self._write("Story", {"line": line})

    def violate(self, what: str) -> None:
        """Keep something that must never be."""
        with self._lock:
            self.violations.append(what)
            self._write("Violation", {"what": what})

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        line = {"time": round(time.time(), 3), "kind": kind, **content}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.file.flush()
