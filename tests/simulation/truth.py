"""What must be so, told by a plain model from what the queue accepted and what was committed.

It sees each effect on the services as it happens, and holds it against the laws at once: so a
story ends where something went wrong, not where it was noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from blockfold.domain import digest
from blockfold.domain.block import NO_HASH, Block, derived_id
from blockfold.domain.canonical import Canonical, Json, decode, encode
from blockfold.domain.schedule import Schedule
from blockfold.ports import MachineRecord
from tests.machines_for_tests import model_run
from tests.simulation.story import Violation

State = dict[str, Json]


@dataclass(slots=True)
class Accepted:
    """A message that the queue took.

    Attributes:
        id: Its MessageId.
        sequence: Its SequenceNumber.
        actions: What it asks for; None is no action at all.
        name: Its producer and its count there; None of any other sender.
    """

    id: str
    sequence: int
    actions: list[dict[str, Any] | None]
    name: tuple[str, int] | None = None


@dataclass(slots=True)
class Known:
    """A block that was committed.

    Attributes:
        block: The block.
        state: The state after it, by the model.
        entries: The same, as canonical bytes.
        kind: Where its state comes from: actions, or restore, fork.
    """

    block: Block
    state: State
    entries: dict[str, Canonical]
    kind: str


@dataclass(slots=True)
class Life:
    """A machine, as it must be.

    Attributes:
        accepted: The messages of its group, in the order in which the queue took them, each
            once: without those that a producer sent again, and without those that are lost.
        copies: Those that a producer sent again, by id.
        lost: Those that left the queue without being executed, by id.
        counted: Producers' messages that stand in blocks: block, producer, count.
        chain: Its blocks from 1 on.
        message: The message that its next action stands in.
        action: The place of that action in it.
        schedule: The dumper settings.
    """

    accepted: list[Accepted] = field(default_factory=list)
    copies: dict[str, Accepted] = field(default_factory=dict)
    lost: dict[str, Accepted] = field(default_factory=dict)
    counted: list[tuple[int, str, int]] = field(default_factory=list)
    chain: list[Known] = field(default_factory=list)
    message: int = 0
    action: int = 0
    schedule: Schedule | None = None

    @property
    def head(self) -> int:
        """The number of the newest block."""
        return len(self.chain)

    @property
    def state(self) -> State:
        """The state at the head."""
        return self.chain[-1].state if self.chain else {}

    def settled(self, message: str) -> bool:
        """Whether the queue may let go of a message: all of it, or of its original, is in blocks.

        What is lost has left the queue already.
        """
        if message in self.lost:
            return True
        name = self.copies[message].name if message in self.copies else None
        return any(
            each.id == message or (name is not None and each.name == name)
            for each in self.accepted[: self.message]
        )


@dataclass(slots=True)
class Truth:
    """All machines, as they must be.

    Attributes:
        lives: By machine.
        asked: Snapshots that somebody asked for: machine, first and last number that it may be.
        free: Machines that a policy makes snapshots of, at any block.
    """

    lives: dict[str, Life] = field(default_factory=dict)
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    free: set[str] = field(default_factory=set)

    def life(self, machine: str) -> Life:
        """A machine's life, begun if need be."""
        return self.lives.setdefault(machine, Life())

    def heads(self) -> dict[str, int]:
        """The number of each machine's head."""
        return {machine: life.head for machine, life in self.lives.items()}

    # -- the queue -------------------------------------------------------------------------

    def accept(
        self,
        machine: str,
        message: str,
        sequence: str,
        body: str,
        name: tuple[str, int] | None = None,
    ) -> bool:
        """The queue took a message, or says again that it did; whether it is a copy.

        Raises:
            Violation: The simulated queue is wrong.
        """
        life = self.life(machine)
        accepted = life.accepted
        if message in life.copies or message in life.lost:
            return False
        if any(each.id == message for each in accepted):
            return False
        if accepted and accepted[-1].sequence >= int(sequence):
            raise Violation("queue", f"{message} has no higher number than the one before")
        new = Accepted(message, int(sequence), _asked(body), name)
        if name is not None and any(each.name == name for each in accepted):
            life.copies[message] = new
            return True
        accepted.append(new)
        return False

    def lose(self, machine: str, message: str) -> bool:
        """A message leaves the queue; whether it may: not one that is executed in part.

        If its producer sent it again, the first of the copies takes its place.
        """
        life = self.life(machine)
        if message in life.copies:
            return False
        at = next(n for n, each in enumerate(life.accepted) if each.id == message)
        if at < life.message:
            return True  # it stands in blocks, and only the queue did not hear of it
        if at == life.message and life.action:
            return False
        lost = life.accepted.pop(at)
        life.lost[message] = lost
        for copy in life.copies.values():
            if copy.name == lost.name:
                del life.copies[copy.id]
                life.accepted.append(copy)
                life.accepted[life.message :] = sorted(
                    life.accepted[life.message :], key=lambda each: each.sequence
                )
                break
        return True

    # -- the log ---------------------------------------------------------------------------

    def commit(self, block: Block) -> None:
        """A block was put where none was.

        Raises:
            Violation: It may not stand there.
        """
        life, name = self.life(block.machine), f"block {block.number} of {block.machine}"
        if block.number <= life.head:
            raise Violation("law 5, history is never rewritten", f"{name} is put again")
        if block.number > life.head + 1:
            raise Violation("law 2, the log is the truth", f"{name} follows block {life.head}")
        parent = life.chain[-1].block.hash if life.chain else NO_HASH
        if block.header.parent != parent:
            raise Violation("law 2, the log is the truth", f"{name} has another parent")
        if block.body.origin is None:
            state, kind = self._executed(life, block, name), "actions"
        else:
            state, kind = self._brought_back(block, name), block.body.origin.kind
        entries = {key: encode(value) for key, value in state.items()}
        found = digest.digest_of(digest.sum_of(entries.items()))
        if (found, len(entries)) != (block.header.digest, block.header.keys):
            raise Violation(
                "law 3, deterministic",
                f"{name} leads to {block.header.keys} keys, the model to {state}",
            )
        life.chain.append(Known(block, state, entries, kind))

    def _executed(self, life: Life, block: Block, name: str) -> State:
        """The state after a block's actions, each of which must be the next of its group."""
        state = life.state
        ordinal = sum(each.block.actions for each in life.chain)
        if block.header.ordinal != ordinal:
            raise Violation("law 1, exactly once", f"{name} says ordinal {block.header.ordinal}")
        for message, index, record in block.body.actions:
            place = (message.id, message.first + index)
            if life.message >= len(life.accepted):
                raise Violation("law 1, exactly once", f"{name} holds {place}: nothing is left")
            wanted = life.accepted[life.message]
            if place != (wanted.id, life.action):
                raise Violation(
                    "law 1, exactly once, in order",
                    f"{name} holds {place}, next is {(wanted.id, life.action)}",
                )
            asked = wanted.actions[life.action]
            if record.id is None and message.action_id(index) != derived_id(*place):
                raise Violation("law 1, exactly once", f"{name}: {place} has another id")
            outcome, state = _model(asked, state)
            if record.outcome != outcome:
                raise Violation(
                    "law 3, deterministic", f"{name}: {place} is {record.outcome}, not {outcome}"
                )
            life.action += 1
            if life.action == len(wanted.actions):
                life.message, life.action = life.message + 1, 0
                if wanted.name is not None:
                    life.counted.append((block.number, *wanted.name))
        return state

    def _brought_back(self, block: Block, name: str) -> State:
        origin = block.body.origin
        assert origin is not None
        source = self.life(origin.machine)
        if not 1 <= origin.number <= source.head:
            raise Violation("law 5, restores", f"{name} brings back block {origin.number}")
        known = source.chain[origin.number - 1]
        if origin.kind == "restore" and origin.machine != block.machine:
            raise Violation("law 5, restores", f"{name} restores {origin.machine}")
        if origin.kind == "fork" and (block.number != 1 or origin.hash != known.block.hash):
            raise Violation("law 5, restores", f"{name} does not name its parent rightly")
        return known.state

    # -- snapshots -------------------------------------------------------------------------

    def settle(self, record: MachineRecord, heads: dict[str, int]) -> None:
        """Dumper settings were replaced.

        Args:
            record: What stands in the register now.
            heads: The heads when whoever did it began.

        Raises:
            Violation: What was due changed for a block that stood then.
        """
        life = self.life(record.machine)
        old, life.schedule = life.schedule, record.schedule
        if old is None:
            return
        for number in range(1, heads.get(record.machine, 0) + 1):
            if old.due(number) != record.schedule.due(number):
                raise Violation(
                    "law 4, snapshots on exact multiples",
                    f"settings of {record.machine} changed for block {number} of the past",
                )
        if record.schedule.current.first > life.head + 1:
            raise Violation("law 4, settings hold from head + 1", f"{record.schedule.current}")

    def due(self, machine: str) -> list[int]:
        """The blocks whose snapshot is due by count."""
        life = self.life(machine)
        return [n for n in range(1, life.head + 1) if life.schedule and life.schedule.due(n)]

    def may_have(self, machine: str, number: int) -> bool:
        """Whether a block may have a snapshot."""
        return (
            machine in self.free
            or number in self.due(machine)
            or any(name == machine and low <= number <= high for name, low, high in self.asked)
        )


def _asked(body: str) -> list[dict[str, Any] | None]:
    """The actions of a body, as producers here write them."""
    try:
        content = json.loads(body)
    except ValueError:
        return [None]
    elements = content if isinstance(content, list) else [content]
    return [each if isinstance(each, dict) else None for each in elements] or [None]


def _model(asked: dict[str, Any] | None, state: State) -> tuple[str, State]:
    """What becomes of an action of `Cells`, and of the state."""
    if asked is None:
        return "malformed", state
    args = asked["args"]
    end = args.get("end", "apply")
    if end != "apply":
        return {"reject": "rejected", "crash": "failed"}[end], state
    return "applied", model_run(state, args)


def plain(entries: Iterable[tuple[str, Canonical]]) -> State:
    """Entries with their values as Python objects."""
    return {key: decode(value) for key, value in entries}
