"""Counts what AWS bills for requests, from the requests and answers themselves.

DynamoDB's rules are `blockfold.domain.units`; what is added here is which items a request touches:

- a put takes the larger of the old and the new item, and so does an update;
- one whose condition fails takes the size of the item that stands there, at least one unit;
- a batch is its parts, each rounded up; a PartiQL statement is a write of its item;
- a transaction takes twice as many units for each of its items;
- a Query takes the bytes that it read, rounded up once; a read of nothing takes one unit;
- an item that an index holds is written there, too.

The meter keeps a copy of what is stored, to know the old items and the bytes that stay.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockfold.domain.units import item_bytes, read_units, write_units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, dict[str, Any]]
Key = tuple[str, ...]

STORED_BYTES = 100
"""What DynamoDB adds to each stored item, and to each in an index (Developer Guide)."""

_INSERT = re.compile(r"""INSERT INTO "(?P<table>[^"]+)" VALUE \{(?P<fields>.*)\}""")
_UPDATE = re.compile(r"""UPDATE "(?P<table>[^"]+)" (?P<changes>.*) WHERE (?P<keys>.*)""")
_NAME = re.compile(r"""["'](\w+)["']""")


@dataclass(frozen=True, slots=True)
class Table:
    """What the meter must know of a table.

    Attributes:
        keys: Names of the key attributes.
        index: Key attributes of a keys-only index; an item without them does not stand in it.
    """

    keys: tuple[str, ...]
    index: tuple[str, ...] = ()


@dataclass(slots=True)
class Counts:
    """What was counted.

    Attributes:
        requests: By operation.
        wru: Write units.
        rru: Read units.
        items: Items that are stored at the end.
        stored: Bytes that they take, indexes and DynamoDB's own overhead included.
        objects: Bytes that were put into S3.
    """

    requests: Counter[str] = field(default_factory=Counter)
    wru: float = 0.0
    rru: float = 0.0
    items: int = 0
    stored: int = 0
    objects: int = 0

    def to_json(self) -> dict[str, Any]:
        """The counts as they stand in a file of results."""
        names = ("wru", "rru", "items", "stored", "objects")
        return {"requests": dict(self.requests), **{name: getattr(self, name) for name in names}}


class Meter:
    """Counts requests to DynamoDB and S3.

    Args:
        tables: The tables by name, all of them empty at the beginning.
        look: Reads an item past the meter: (table, key) → item or None. Only needed where a
            request does not say what it leaves: UpdateItem.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        look: Callable[[str, Item], Item | None] | None = None,
    ) -> None:
        self._tables = tables
        self._look = look
        self._items: dict[tuple[str, Key], Item] = {}
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """What was counted so far."""
        stored = [
            item_bytes(item) + STORED_BYTES + self._index_bytes(table, item)
            for (table, _), item in self._items.items()
        ]
        self._counts.items, self._counts.stored = len(stored), sum(stored)
        return self._counts

    def count(self, operation: str, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        """Count one request to DynamoDB.

        Args:
            operation: AWS's name: ``PutItem``.
            request: Its parameters, items in DynamoDB's notation.
            answer: What came back; None if a condition failed.

        Raises:
            NotImplementedError: No rule for this operation stands here.
        """
        self._counts.requests[operation] += 1
        rule = getattr(self, f"_{_snake(operation)}", None)
        if rule is None:
            raise NotImplementedError(f"no rule for what {operation} takes")
        rule(request, answer)

    def count_object(self, operation: str, size: int) -> None:
        """Count one request to S3, with the bytes that it puts."""
        self._counts.requests[operation] += 1
        self._counts.objects += size

    # -- writes --------------------------------------------------------------------------------

    def _put_item(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        table, item = request["TableName"], request["Item"]
        key = self._key(table, item)
        self._write(table, key, item if answer is not None else self._items.get((table, key)))

    def _update_item(self, request: dict[str, Any], _answer: dict[str, Any] | None) -> None:
        assert self._look is not None, "an UpdateItem is only counted with `look`"
        table = request["TableName"]
        self._write(
            table, self._key(table, request["Key"]), self._look(table, dict(request["Key"]))
        )

    def _delete_item(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        table, key = request["TableName"], self._key(request["TableName"], request["Key"])
        self._write(table, key, None if answer is not None else self._items.get((table, key)))

    def _batch_write_item(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        assert not (answer or {}).get("UnprocessedItems"), "throttling would have to be counted"
        for table, parts in request["RequestItems"].items():
            for part in parts:
                if "PutRequest" in part:
                    item = part["PutRequest"]["Item"]
                    self._write(table, self._key(table, item), item)
                else:
                    self._write(table, self._key(table, part["DeleteRequest"]["Key"]), None)

    def _transact_write_items(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        for part in request["TransactItems"]:
            put = part["Put"]
            table, key = put["TableName"], self._key(put["TableName"], put["Item"])
            item = put["Item"] if answer is not None else self._items.get((table, key))
            self._write(table, key, item, factor=2)

    def _batch_execute_statement(
        self, request: dict[str, Any], answer: dict[str, Any] | None
    ) -> None:
        answers = (answer or {}).get("Responses", [])
        for statement, part in zip(request["Statements"], answers, strict=True):
            table, item, removed = _statement(statement["Statement"], statement["Parameters"])
            key = self._key(table, item)
            old = self._items.get((table, key))
            if "Error" in part:
                self._write(table, key, old)
                continue
            kept = {name: value for name, value in (old or {}).items() if name not in removed}
            self._write(table, key, {**kept, **item})

    def _write(self, table: str, key: Key, item: Item | None, *, factor: int = 1) -> None:
        """An item is what stands there now, whether or not this write made it so."""
        old = self._items.get((table, key))
        largest = max(item_bytes(old or {}), item_bytes(item or {}))
        self._counts.wru += factor * write_units(largest)
        before, after = self._index_bytes(table, old), self._index_bytes(table, item)
        if before != after:
            self._counts.wru += factor * write_units(max(before, after) - STORED_BYTES)
        if item is None:
            self._items.pop((table, key), None)
        else:
            self._items[table, key] = item

    def _key(self, table: str, item: Mapping[str, Any]) -> Key:
        return tuple(str(item[name]) for name in self._tables[table].keys)

    def _index_bytes(self, table: str, item: Item | None) -> int:
        """Bytes of an item in the table's index, overhead included; 0 if it is not in it."""
        shape = self._tables[table]
        if item is None or not shape.index or not all(name in item for name in shape.index):
            return 0
        held = {name: item[name] for name in (*shape.keys, *shape.index)}
        return item_bytes(held) + STORED_BYTES

    # -- reads ---------------------------------------------------------------------------------

    def _get_item(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        item = (answer or {}).get("Item") or {}
        self._read([item], consistent=request.get("ConsistentRead", False))

    def _batch_get_item(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        assert not (answer or {}).get("UnprocessedKeys"), "throttling would have to be counted"
        for table, wanted in request["RequestItems"].items():
            found = (answer or {}).get("Responses", {}).get(table, [])
            missing = len(wanted["Keys"]) - len(found)
            for item in [*found, *([{}] * missing)]:
                self._read([item], consistent=wanted.get("ConsistentRead", False))

    def _query(self, request: dict[str, Any], answer: dict[str, Any] | None) -> None:
        assert "FilterExpression" not in request, "what is filtered out is read, too"
        assert "ProjectionExpression" not in request, "what is left out is read, too"
        items = (answer or {}).get("Items", [])
        self._read(items, consistent=request.get("ConsistentRead", False))

    def _read(self, items: Iterable[Item], *, consistent: bool) -> None:
        size = sum(item_bytes(item) for item in items)
        self._counts.rru += read_units(size, consistent=consistent)


def attach(meter: Meter, dynamodb: DynamoDBClient, s3: Any = None) -> None:
    """Have a meter count all that boto3 clients send.

    Works for the client of a boto3 resource as well: the hooks see what goes over the wire.
    """

    def asked(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["metered"] = dict(params)

    def answered(model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        code = parsed.get("Error", {}).get("Code")
        if code not in {None, "ConditionalCheckFailedException"}:
            raise AssertionError(f"{model.name} failed: {parsed['Error']}")
        retries = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        assert not retries, "a retry would be counted once"
        meter.count(model.name, context["metered"], None if code else parsed)

    # A boto3 resource puts items into DynamoDB's notation between these two.
    dynamodb.meta.events.register_last("before-parameter-build.dynamodb", asked)
    dynamodb.meta.events.register_first("after-call.dynamodb", answered)
    if s3 is not None:

        def put(model: Any, params: dict[str, Any], **_: object) -> None:
            body = params.get("Body", b"")
            meter.count_object(model.name, len(body))

        s3.meta.events.register_last("provide-client-params.s3", put)


def read_trace(path: Path, meter: Meter) -> None:
    """Count the requests in a file that a peer wrote.

    Each line is ``{"operation", "request", "answer"}`` as JSON, answer null if a condition
    failed. Binary values stand there as Base64, as they go over the wire.
    """
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            call = json.loads(line, object_hook=_binary)
            meter.count(call["operation"], call["request"], call["answer"])


def _binary(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value ``{"B": Base64}`` with its bytes."""
    if value.keys() == {"B"} and isinstance(value["B"], str):
        return {"B": b64decode(value["B"])}
    return value


def _statement(text: str, parameters: list[dict[str, Any]]) -> tuple[str, Item, list[str]]:
    """The table of a PartiQL statement, the attributes that it gives, and those that it removes.

    Knows the two kinds that the state table uses. A parameter of a condition that is no equality
    is dropped.
    """
    if (insert := _INSERT.fullmatch(text)) is not None:
        names = _NAME.findall(insert["fields"])
        return insert["table"], dict(zip(names, parameters, strict=True)), []
    update = _UPDATE.fullmatch(text)
    if update is None:
        raise NotImplementedError(f"no rule for what this takes: {text}")
    removed = re.findall(r'REMOVE "(\w+)"', update["changes"])
    given = re.findall(r'SET "(\w+)" = \?', update["changes"])
    conditions = re.findall(r'"(\w+)" (=|<) \?', update["keys"])
    equal = [name for name, _ in conditions if _ == "="]
    item = dict(zip([*given, *equal], parameters, strict=False))
    return update["table"], item, removed


def _snake(operation: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
