"""What every contender is given: the same actions in the same order, each on one entity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from uuid import UUID

from blockfold import Message

QUEUE = "arn:aws:sqs:us-east-1:111122223333:Blockfold-QueuesActionsE5F4A30C-a1b2c3d4e5f6.fifo"
"""An ARN as CloudFormation makes them: it stands in every block."""

SENDER = "AROAEXAMPLEEXAMPLEEXA:producer"
FIRST_SEQUENCE = 18849496460467696128
FIRST_SENT = 1_795_356_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One action.

    Attributes:
        entity: What it acts on: a player, a tree, a path. A peer keeps a stream of events for it.
        type: The action's type.
        args: Its other arguments.
    """

    entity: str
    type: str
    args: dict[str, object]


@dataclass(frozen=True, slots=True)
class Workload:
    """Actions in order.

    Attributes:
        name: What it is called.
        machine: ``module:Class`` of the machine that takes them.
        argument: The argument that names the entity.
        prefix: What stands before the entity in a key of the state.
        steps: The actions.
    """

    name: str
    machine: str
    argument: str
    prefix: str
    steps: tuple[Step, ...]

    def only(self, wanted: Callable[[int, Step], bool]) -> Workload:
        """The same with fewer actions: those whose position and step are wanted."""
        kept = tuple(step for at, step in enumerate(self.steps) if wanted(at, step))
        return replace(self, steps=kept)

    def actions(self) -> Iterator[dict[str, object]]:
        """The actions as they stand in messages."""
        for step in self.steps:
            yield {"type": step.type, "args": {self.argument: step.entity, **step.args}}

    def bodies(self, packed: int) -> Iterator[str]:
        """Message bodies with so many actions each; a single one stands without an array."""
        actions = self.actions()
        while some := list(islice(actions, packed)):
            content: object = some[0] if packed == 1 else some
            yield json.dumps(content, separators=(",", ":"))


def messages(bodies: Sequence[str], *, seed: int = 1) -> list[Message]:
    """Messages as SQS hands them over: random ids, sequence numbers with gaps, times that grow."""
    random = Random(seed)  # noqa: S311 - the same ids each time
    return [
        Message(
            id=str(UUID(int=random.getrandbits(128), version=4)),
            body=body,
            queue=QUEUE,
            sequence=str(FIRST_SEQUENCE + number * 256 + random.randrange(256)),
            sent=FIRST_SENT + number * 7,
            sender=SENDER,
        )
        for number, body in enumerate(bodies)
    ]
