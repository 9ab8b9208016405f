"""Operators of a soak: people and tools that read, dump, restore, fork and prune meanwhile.

An error of the product's own is an answer: whoever asks meets faults. Anything else is a defect,
and so is an error that says that stored data are damaged, or that a block is not there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockfold.domain.canonical import decode
from blockfold.domain.errors import BlockfoldError, Corrupted, NotFound
from tests.soak.actors import KEYS, Actor
from tests.soak.ledger import Dumped, Restored, Seen


@dataclass
class Operator(Actor):
    """Reads, dumps, restores, forks, prunes at random, as people and their tools do."""

    pause: float = 0.4
    forks: int = 6

    def step(self) -> None:
        chores: dict[Callable[[str], None], int] = {
            self._read: 8,
            self._read_key: 3,
            self._read_past: 3,
            self._blocks: 3,
            self._set_count: 2,
            self._dump: 3,
            self._dump_past: 2,
            self._archive: 2,
            self._restore: 4,
            self._plan: 1,
            self._fork: 1,
            self._prune: 2,
            self._sweep: 1,
            self._command_line: 1,
        }
        (chore,) = self.random.choices([*chores], [*chores.values()])
        machine = self.random.choice(self.ledger.machines)
        name = chore.__name__[1:].replace("_", " ")
        try:
            chore(machine)
            self.ledger.count(f"{name}: done")
        except (Corrupted, NotFound) as error:
            if not (isinstance(error, NotFound) and "no machine" in str(error)):
                self.ledger.violate(f"{name} of {machine}: {type(error).__name__}: {error}")
            time.sleep(0.5)  # before its first action there is no machine
        except BlockfoldError as error:
            self.ledger.count(f"{name}: not done")
            self.ledger.tell(f"{name} of {machine}: {error}")
            if "what its hash says" in str(error) or "damaged" in str(error):
                self.ledger.violate(f"{name} of {machine}: {error}")
        time.sleep(self.random.uniform(0, 2 * self.pause))

    def _read(self, machine: str) -> None:
        view = self.world.stack.reader.state(machine)
        entries = {key: decode(value) for key, value in view.entries.items()}
        self.ledger.note(Seen(machine, view.number, view.digest, entries))

    def _read_key(self, machine: str) -> None:
        key = self.random.choice(KEYS)
        view = self.world.stack.reader.state(machine, key=key)
        entries = {name: decode(value) for name, value in view.entries.items()}
        self.ledger.note(Seen(machine, view.number, view.digest, entries, key))

    def _read_past(self, machine: str) -> None:
        view = self.world.stack.reader.state_at(machine, self._number(machine))
        entries = {key: decode(value) for key, value in view.entries.items()}
        self.ledger.note(Seen(machine, view.number, view.digest, entries))

    def _blocks(self, machine: str) -> None:
        last = self._number(machine)
        for block in self.world.stack.reader.blocks(machine, max(1, last - 5), last):
            self.ledger.block(machine, block.number, block.hash)

    def _set_count(self, machine: str) -> None:
        count = self.random.choice((3, 5, 7, 11))
        self._call("Dumper", {"machine": machine, "command": "set_count", "count": count})

    def _dump(self, machine: str) -> None:
        before = self.world.stack.reader.head(machine).number
        answer = self._call("Dumper", {"machine": machine, "command": "dump"})
        if (answer["last_snapshot"] or 0) < before:
            self.ledger.violate(f"a dump of {machine} at {before} or above answered {answer}")

    def _dump_past(self, machine: str) -> None:
        number = self._number(machine)
        self._call("Dumper", {"machine": machine, "command": "dump", "at": number})
        self.ledger.note(Dumped(machine, number))

    def _archive(self, machine: str) -> None:
        self._call("Dumper", {"machine": machine, "command": "archive"})

    def _sweep(self, _machine: str) -> None:
        self._call("Dumper", {"sweep": True})

    def _restore(self, machine: str) -> None:
        self._bring_back(machine, self._number(machine), machine)

    def _fork(self, machine: str) -> None:
        taken = self.ledger.counts["forks asked for"]
        if taken >= self.forks:
            self._plan(machine)
            return
        self.ledger.count("forks asked for")
        self._bring_back(machine, self._number(machine), f"fork-{self.seed}-{taken}")

    def _bring_back(self, source: str, block: int, machine: str) -> None:
        payload: dict[str, object] = {"machine": source, "block": block}
        if machine != source:
            payload["as"] = machine
        self.ledger.ask(source, block, machine)
        answer = self._call("Restore", payload)
        self.ledger.note(
            Restored(source, block, machine, answer["number"], answer["hash"], answer["digest"])
        )

    def _plan(self, machine: str) -> None:
        self._call("Restore", {"machine": machine, "block": self._number(machine), "dry_run": True})

    def _prune(self, machine: str) -> None:
        keep = {"snapshots": self.random.randint(2, 5), "blocks": self.random.randint(5, 50)}
        self._call("Pruner", {"machine": machine, "command": "set_retention", **keep})
        self._call("Pruner", {"machine": machine, "command": "prune"})

    def _command_line(self, machine: str) -> None:
        verb = self.random.choice(("state", "blocks", "snapshots"))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "blockfold"), verb, machine, "--json"],
            env={**environment, **self.world.variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == 0:
            json.loads(done.stdout)
        elif "Traceback" in done.stderr or not done.stderr.strip():
            self.ledger.violate(f"blockfold {verb} ended as {done.returncode}: {done.stderr}")

    def _number(self, machine: str) -> int:
        """Any block that a machine has."""
        head = self.world.stack.reader.head(machine).number
        if not head:
            raise NotFound(f"there is no machine {machine!r} with a block yet")
        return self.random.randint(max(1, head - 60), head)

    def _call(self, function: str, payload: dict[str, object]) -> dict[str, Any]:
        return self.world.stack.call(f"{function}FunctionName", payload)
