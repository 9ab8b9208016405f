"""A table: items by partition and sort key, with time to live and a stream.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from tests.simulation.services.dynamodb.attributes import (
    MAX_ITEM_BYTES,
    Attribute,
    Item,
    ordered,
)
from tests.simulation.services.dynamodb.invalid import Invalid
from tests.simulation.services.streams import Stream

MAX_HASH_BYTES = 2048
MAX_SORT_BYTES = 1024

FIVE_YEARS = 5 * 365 * 24 * 3600
"""Seconds: what expired before that long is taken for a mistake and stays.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html"""

LAG = 1000
"""Milliseconds for which an eventually consistent read may not see a write."""

Sort = Any
"""A sort key as it compares; empty in a table without."""


class Key(NamedTuple):
    """An item's place: partition, and sort key as it compares."""

    hash: str
    sort: Sort


class Row(NamedTuple):
    """An item with its size in bytes. Items are replaced, never changed."""

    item: Item
    size: int


class World(Protocol):
    """What a table asks of the cloud."""

    @property
    def stale(self) -> float: ...
    def now(self) -> int: ...
    def chance(self, share: float) -> bool: ...


class Table:
    """One table.

    Args:
        name: Its name.
        world: Time and chance.
        sort: Name and type (``S``, ``N``) of the sort key; the partition key is ``machine``, ``S``.
        ttl: The attribute with the time to live, seconds since 1970.
        stream: Where changes are told.
    """

    hash = "machine"

    def __init__(
        self,
        name: str,
        world: World,
        *,
        sort: tuple[str, str] | None = None,
        ttl: str | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.name = name
        self.sort = sort
        self.keys = (self.hash, sort[0]) if sort else (self.hash,)
        self.ttl = ttl
        self.stream = stream
        self._world = world
        self._rows: dict[str, dict[Sort, Row]] = {}
        self._order: dict[str, list[Sort]] = {}
        self._before: dict[Key, tuple[int, Row | None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def key_of(self, attributes: Item, *, exact: bool) -> Key:
        """The key in attributes that were made canonical.

        Args:
            attributes: An item, or a request's key.
            exact: Whether there must be nothing else.

        Raises:
            Invalid: It lacks, or is none that the table may have.
        """
        if exact and attributes.keys() != set(self.keys):
            raise Invalid("The provided key element does not match the schema")
        sort: Sort = ""
        hash_ = self._part(attributes, self.hash, "S", "hashkey", MAX_HASH_BYTES)
        if self.sort:
            sort = self._part(attributes, *self.sort, "rangekey", MAX_SORT_BYTES)
        return Key(hash_, sort)

    def _part(self, attributes: Item, name: str, kind: str, what: str, most: int) -> Any:
        attribute = attributes.get(name)
        if attribute is None:
            raise Invalid(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
        if kind not in attribute:
            raise Invalid(
                f"One or more parameter values were invalid: Type mismatch for key {name} "
                f"expected: {kind} actual: {next(iter(attribute))}"
            )
        if kind == "S":
            text: str = attribute["S"]
            if not text:
                raise Invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key "
                    f"attribute cannot contain an empty string value. Key: {name}"
                )
            if len(text) * 4 > most and len(text.encode()) > most:
                raise Invalid(
                    f"One or more parameter values were invalid: Size of {what} has exceeded the "
                    f"maximum size limit of{most} bytes"
                )
            return text
        return ordered(attribute)

    def get(self, key: Key, *, consistent: bool = True) -> Row | None:
        """The row at a key; without `consistent`, perhaps the one that was there before."""
        row = self._rows.get(key.hash, {}).get(key.sort)
        if consistent or not self._world.stale:
            return row
        written, before = self._before.get(key, (0, None))
        old = written and self._world.now() - written < LAG
        return before if old and self._world.chance(self._world.stale) else row

    def put(self, key: Key, item: Item, size: int, what: str = "Item size") -> None:
        """Store an item.

        Raises:
            Invalid: It is too large.
        """
        if size > MAX_ITEM_BYTES:
            raise Invalid(f"{what} has exceeded the maximum allowed size")
        rows = self._rows.setdefault(key.hash, {})
        old = rows.get(key.sort)
        if old is None:
            insort(self._order.setdefault(key.hash, []), key.sort)
        self._remember(key, old)
        rows[key.sort] = Row(item, size)
        if self.stream is not None and (old is None or old.item != item):
            self.stream.tell("INSERT" if old is None else "MODIFY", key, self._keys(item), item)

    def delete(self, key: Key, *, expired: bool = False) -> None:
        """Delete an item, if there is one."""
        old = self._rows.get(key.hash, {}).pop(key.sort, None)
        if old is None:
            return
        order = self._order[key.hash]
        del order[bisect_left(order, key.sort)]
        if not order:
            del self._order[key.hash], self._rows[key.hash]
        self._remember(key, old)
        if self.stream is not None:
            self.stream.tell("REMOVE", key, self._keys(old.item), expired=expired)

    def expire(self, share: float = 1.0) -> int:
        """Delete items whose time to live has passed, each with a chance; how many."""
        if self.ttl is None:
            return 0
        now = self._world.now() // 1000
        gone = [
            Key(hash_, sort)
            for hash_, rows in self._rows.items()
            for sort, row in rows.items()
            if (until := _seconds(row.item.get(self.ttl))) is not None
            and now - FIVE_YEARS < until < now
            and (share >= 1 or self._world.chance(share))
        ]
        for key in gone:
            self.delete(key, expired=True)
        return len(gone)

    def sorts(
        self,
        hash_: str,
        low: tuple[Sort, bool] | None = None,
        high: tuple[Sort, bool] | None = None,
    ) -> list[Sort]:
        """The sort keys of a partition, in order, between bounds that each say if they belong."""
        order = self._order.get(hash_, [])
        first = 0 if low is None else (bisect_left if low[1] else bisect_right)(order, low[0])
        last = (
            len(order)
            if high is None
            else (bisect_right if high[1] else bisect_left)(order, high[0])
        )
        return order[first:last]

    def every(self, after: Key | None = None) -> Iterator[Key]:
        """All keys as a scan meets them: partitions by a hash of their key."""
        start = after and (crc32(after.hash.encode()), after.hash)
        for place in sorted((crc32(hash_.encode()), hash_) for hash_ in self._rows):
            if start and place < start:
                continue
            low = (after.sort, False) if after and start == place else None
            yield from (Key(place[1], sort) for sort in self.sorts(place[1], low))

    def items(self, hash_: str | None = None) -> list[Item]:
        """All items, or a partition's, by key: to look at, not to change."""
        hashes: Iterable[str] = sorted(self._rows) if hash_ is None else [hash_]
        return [self._rows[each][sort].item for each in hashes for sort in self.sorts(each)]

    def clear(self) -> None:
        """Lose everything, as a table that is deleted and made again does."""
        for rows in (self._rows, self._order, self._before):
            rows.clear()

    def _remember(self, key: Key, old: Row | None) -> None:
        if self._world.stale:
            self._before[key] = (self._world.now(), old)

    def _keys(self, item: Item) -> Item:
        return {name: item[name] for name in self.keys}


def _seconds(attribute: Attribute | None) -> int | None:
    if attribute is None or "N" not in attribute:
        return None
    return int(ordered(attribute))
