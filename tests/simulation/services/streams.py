"""A table's stream: what the announcer and the archiver read.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html: records of one item
come in order, at least once, for 24 hours. Nothing is said of the order of different items'
records, so they come in any.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

Item = dict[str, Any]

DAY = 24 * 60 * 60 * 1000
"""Milliseconds for which records can be read."""

FIRST_SEQUENCE = 100_000_000_000_000_000_000

READERS = ("announcer", "archiver")


class World(Protocol):
    """What a stream asks of the cloud."""

    @property
    def random(self) -> Random: ...
    def now(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Record:
    """One change of one item.

    Attributes:
        sequence: Its number in the stream.
        time: When it happened, milliseconds since 1970.
        kind: INSERT, MODIFY or REMOVE.
        key: Whose it is.
        keys: The item's key attributes.
        image: The item after it; None if it is gone.
        expired: Whether the time to live removed it.
    """

    sequence: int
    time: int
    kind: str
    key: Hashable
    keys: Item
    image: Item | None
    expired: bool


class Stream:
    """What changed, with ``NEW_IMAGE``.

    Args:
        arn: Its ARN.
        world: Time and randomness.
        readers: Names of those who read it, each everything.
    """

    def __init__(self, arn: str, world: World, readers: Sequence[str] = READERS) -> None:
        self.arn = arn
        self._world = world
        self._sequence = FIRST_SEQUENCE
        self._pending: dict[str, list[Record]] = {reader: [] for reader in readers}
        self._taken: dict[str, dict[Hashable, int]] = {reader: {} for reader in readers}

    def tell(
        self,
        kind: str,
        key: Hashable,
        keys: Item,
        image: Item | None = None,
        *,
        expired: bool = False,
    ) -> None:
        """Add a record."""
        self._sequence += 1 + self._world.random.getrandbits(8)
        record = Record(self._sequence, self._world.now(), kind, key, keys, image, expired)
        for pending in self._pending.values():
            pending.append(record)

    def pending(self, reader: str) -> int:
        """How many records wait for a reader."""
        return len(self._pending[reader])

    def take(
        self,
        reader: str,
        most: int = 100,
        *,
        kinds: Sequence[str] = ("INSERT",),
        shuffled: bool = True,
    ) -> StreamBatch | None:
        """The next batch for a reader; None if nothing waits.

        While it is not settled, later records of the same items wait.

        Args:
            reader: One of the stream's readers.
            most: The most records of a batch.
            kinds: What passes the reader's filter. The rest is dropped.
            shuffled: Whether records of different items come in any order.
        """
        since = self._world.now() - DAY
        taken = self._taken[reader]
        waiting = self._pending[reader]
        waiting[:] = [each for each in waiting if each.time > since and each.kind in kinds]
        free = [each for each in waiting if each.key not in taken]
        if shuffled and len(free) > 1:
            free = self._shuffle(free)
        chosen = free[:most]
        if not chosen:
            return None
        gone = {each.sequence for each in chosen}
        waiting[:] = [each for each in waiting if each.sequence not in gone]
        for each in chosen:
            taken[each.key] = taken.get(each.key, 0) + 1
        return StreamBatch(self, reader, chosen)

    def _shuffle(self, records: list[Record]) -> list[Record]:
        """Any order that keeps each key's."""
        by_key: dict[Hashable, deque[Record]] = {}
        for each in records:
            by_key.setdefault(each.key, deque()).append(each)
        turns = [each.key for each in records]
        self._world.random.shuffle(turns)
        return [by_key[key].popleft() for key in turns]

    def settle(self, reader: str, records: Sequence[Record], again: Sequence[Record]) -> None:
        """Let the items of a batch go, some of its records to come again."""
        taken = self._taken[reader]
        for each in records:
            taken[each.key] -= 1
            if not taken[each.key]:
                del taken[each.key]
        self.repeat(reader, again)

    def repeat(self, reader: str, records: Sequence[Record]) -> None:
        """Have records come again, unless they are to come anyway."""
        waiting = self._pending[reader]
        known = {each.sequence for each in waiting}
        waiting += [each for each in records if each.sequence not in known]
        waiting.sort(key=lambda each: each.sequence)


class StreamBatch:
    """Records that were handed to a reader's function."""

    def __init__(self, stream: Stream, reader: str, records: Sequence[Record]) -> None:
        self._stream = stream
        self._reader = reader
        self._open = True
        self.records = records

    @property
    def event(self) -> dict[str, Any]:
        """The event for the function, new each time."""
        return {"Records": [self._told(each) for each in self.records]}

    def settle(self, answer: dict[str, Any] | None) -> None:
        """Take the function's answer, or None if it failed or died.

        The first record that it names and all behind it come again. After the first time this only
        has them delivered once more: streams deliver at least once.
        """
        again = self._again(answer)
        if self._open:
            self._open = False
            self._stream.settle(self._reader, self.records, again)
        else:
            self._stream.repeat(self._reader, again)

    def discard(self) -> None:
        """Give up: there were enough tries."""
        self.settle({})

    def _again(self, answer: dict[str, Any] | None) -> Sequence[Record]:
        if answer is None:
            return self.records
        failures = answer.get("batchItemFailures") or []
        named = {each["itemIdentifier"] for each in failures}
        places = [at for at, each in enumerate(self.records) if str(each.sequence) in named]
        if len(places) < len(named):
            return self.records  # it names what was not in the batch: all failed
        return self.records[min(places) :] if places else []

    def _told(self, record: Record) -> dict[str, Any]:
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": record.time // 1000,
            "Keys": _json(record.keys),
            "SequenceNumber": str(record.sequence),
            "StreamViewType": "NEW_IMAGE",
        }
        if record.image is not None:
            change["NewImage"] = _json(record.image)
        told: dict[str, Any] = {
            "eventID": f"{record.sequence:032x}",
            "eventName": record.kind,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self._stream.arn.split(":")[3],
            "dynamodb": change,
            "eventSourceARN": self._stream.arn,
        }
        if record.expired:
            told["userIdentity"] = {
                "type": "Service",
                "principalId": "dynamodb.amazonaws.com",
            }
        return told


def _json(item: Item) -> Item:
    """An item as an event has it: binary values are base64."""
    return {name: _value(attribute) for name, attribute in item.items()}


def _value(attribute: dict[str, Any]) -> dict[str, Any]:
    for kind, content in attribute.items():
        if kind == "B":
            return {"B": base64.b64encode(content).decode()}
        if kind == "L":
            return {"L": [_value(each) for each in content]}
        if kind == "M":
            return {"M": {name: _value(each) for name, each in content.items()}}
    return dict(attribute)
