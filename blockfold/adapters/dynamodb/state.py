"""The state table in DynamoDB: batched PartiQL statements, each with its own fence.

Needs ``dynamodb:BatchGetItem`` and ``Query`` to read, ``PartiQLUpdate`` and ``PartiQLInsert`` to
write.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, islice, repeat
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import refused, unavailable
from blockfold.adapters.backoff import Backoff
from blockfold.adapters.dynamodb.values import from_attribute, to_attribute
from blockfold.domain.canonical import decode, encode
from blockfold.domain.errors import Corrupted, LimitExceeded
from blockfold.ports import Clock, Row, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        BatchStatementRequestTypeDef,
        BatchStatementResponseTypeDef,
    )

STATEMENTS = 25
"""Statements that BatchExecuteStatement takes."""

REQUEST_BYTES = 8_000_000
"""A request's statements take less than this as JSON. DynamoDB names no limit for them; of its
other batches it takes 16 MB. 25 values of the largest size would be up to 50 MB on the wire."""

PAGES = (64, 512)
"""Rows of the first pages of a scan; those after them have what fits into a megabyte."""

KEYS = 100
"""Keys that BatchGetItem takes."""

TOMBSTONE_SECONDS = 7 * 24 * 3600
"""How long a tombstone fences off delayed writers before DynamoDB's TTL removes it."""

LANES = 4
"""Requests of a write that are under way at once: each takes milliseconds, most of them waiting."""

GUESSES = 3
"""Rounds without a wait: a wrong guess about a row costs one, a race with another writer two."""

_SURELY_SMALL = 16 * 1024
_WORST_GROWTH = 8
"""Bytes on the wire for one of canonical JSON, at most: in a list, ``1,`` is ``{"N": "1"}, ``."""

_PERMANENT = {"ValidationError", "AccessDenied", "ResourceNotFound"}

_T = TypeVar("_T")

_Request: TypeAlias = "list[tuple[Write, bool, BatchStatementRequestTypeDef]]"
"""Writes, whether each is an insert, and its statement."""


class DynamoStateTable:
    """A `StateTable`: one item a key, its value as native attributes.

    Args:
        client: A boto3 DynamoDB client.
        table: Name of the State table.
        clock: Tells when tombstones expire.
    """

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def get(self, machine: str, keys: Collection[str]) -> dict[str, Row]:
        """See `StateTable.get`."""
        rows: dict[str, Row] = {}
        for chunk in _chunks(keys, KEYS):
            todo = [{"machine": {"S": machine}, "key": {"S": key}} for key in chunk]
            backoff = Backoff(f"could not read keys of machine {machine!r} in {self._table}")
            while todo:
                try:
                    answer = self._client.batch_get_item(
                        RequestItems={self._table: {"Keys": todo, "ConsistentRead": True}}
                    )
                except (ClientError, BotoCoreError) as error:
                    raise self._failed("read", machine, error) from error
                for item in answer["Responses"].get(self._table, []):
                    row = _row(item)
                    rows[row.key] = row
                left = answer.get("UnprocessedKeys", {}).get(self._table)
                todo = list(left["Keys"]) if left else []  # type: ignore[arg-type]
                if todo:
                    backoff.wait("throttled")
        return rows

    def scan(self, machine: str, prefix: str = "") -> Iterator[Row]:
        """See `StateTable.scan`."""
        if not prefix:
            return self._query(machine)
        return self._query(machine, "begins_with(#key, :prefix)", {":prefix": {"S": prefix}})

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        """See `StateTable.between`."""
        if not after:
            found = self._query(machine, "#key <= :upto", {":upto": {"S": upto}})
        else:
            bounds: dict[str, AttributeValueTypeDef] = {
                ":after": {"S": after},
                ":upto": {"S": upto},
            }
            found = self._query(machine, "#key BETWEEN :after AND :upto", bounds)
        return (row for row in found if row.key != after)

    def _query(
        self,
        machine: str,
        condition: str = "",
        values: Mapping[str, AttributeValueTypeDef] | None = None,
    ) -> Iterator[Row]:
        """The rows of a machine whose key meets a condition, page by page.

        The first pages are small: who wants the first few rows does not pay for a megabyte.
        """
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"machine = :machine{' AND ' * bool(condition)}{condition}",
            "ExpressionAttributeValues": {":machine": {"S": machine}, **(values or {})},
            "ConsistentRead": True,
        }
        if condition:
            query["ExpressionAttributeNames"] = {"#key": "key"}
        for limit in chain(PAGES, repeat(None)):
            page = {**query, "Limit": limit} if limit else query
            try:
                answer = self._client.query(**page)
            except (ClientError, BotoCoreError) as error:
                raise self._failed("scan", machine, error) from error
            yield from map(_row, answer["Items"])
            if (last := answer.get("LastEvaluatedKey")) is None:
                return
            query["ExclusiveStartKey"] = last

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`.

        A key that is thought to be new is inserted, any other updated under the fence; a wrong
        thought costs one more round.
        """
        todo = [(write, write.new) for write in writes]
        backoff = Backoff(f"could not write keys of machine {machine!r} in {self._table}")
        for round_ in count(1):
            again: list[tuple[Write, bool]] = []
            trouble = ""
            for chunk, answers in self._sent(machine, self._requests(machine, todo)):
                for (write, insert, _), answer in zip(chunk, answers, strict=True):
                    verdict = self._judge(machine, answer, write, insert)
                    if verdict is not None:
                        again.append((write, verdict.insert))
                        trouble = trouble or verdict.trouble
            if not again:
                return
            if trouble or round_ >= GUESSES:
                backoff.wait(trouble or "rows come and go")
            todo = again

    def _requests(self, machine: str, todo: Iterable[tuple[Write, bool]]) -> Iterator[_Request]:
        """The writes with their statements, as many together as one request takes."""
        chunk: _Request = []
        size = 0
        for write, insert in todo:
            statement = self._statement(machine, write, insert)
            more = _wire_bytes(write, statement)
            if chunk and (len(chunk) == STATEMENTS or size + more > REQUEST_BYTES):
                yield chunk
                chunk, size = [], 0
            chunk.append((write, insert, statement))
            size += more
        if chunk:
            yield chunk

    def _sent(
        self, machine: str, requests: Iterator[_Request]
    ) -> Iterator[tuple[_Request, list[BatchStatementResponseTypeDef]]]:
        """Each request with its answers. Several are sent at once: their keys are different."""

        def send(chunk: _Request) -> list[BatchStatementResponseTypeDef]:
            return self._batch(machine, [statement for _, _, statement in chunk])

        some = list(islice(requests, LANES))
        if len(some) == 1 < LANES:  # there are no more: a pool would only take time
            yield some[0], send(some[0])
            return
        with ThreadPoolExecutor(LANES) as lanes:
            while some:
                yield from zip(some, lanes.map(send, some), strict=True)
                some = list(islice(requests, LANES))

    def _batch(
        self, machine: str, statements: list[BatchStatementRequestTypeDef]
    ) -> list[BatchStatementResponseTypeDef]:
        try:
            return self._client.batch_execute_statement(Statements=statements)["Responses"]
        except (ClientError, BotoCoreError) as error:
            raise self._failed("write", machine, error) from error

    def _statement(self, machine: str, write: Write, insert: bool) -> BatchStatementRequestTypeDef:
        key: list[AttributeValueTypeDef] = [{"S": machine}, {"S": write.key}]
        number: AttributeValueTypeDef = {"N": str(write.block)}
        if write.value is None:
            expires = str(self._clock.now() // 1000 + TOMBSTONE_SECONDS)
            content: list[AttributeValueTypeDef] = [{"BOOL": True}, {"N": expires}]
        else:
            content = [to_attribute(decode(write.value))]
        return {
            "Statement": _STATEMENTS[insert, write.value is None].format(table=self._table),
            "Parameters": (
                [*key, number, *content] if insert else [*content, number, *key, number]
            ),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _judge(
        self, machine: str, answer: BatchStatementResponseTypeDef, write: Write, insert: bool
    ) -> _Again | None:
        """What to do about a statement's answer; None if the write is done or fenced off."""
        error = answer.get("Error")
        if error is None:
            return None
        code = error.get("Code", "")
        if code == "DuplicateItem":
            return _Again(insert=False)
        if code == "ConditionalCheckFailed":
            item = error.get("Item") or answer.get("Item")
            if not item:
                return _Again(insert=True)
            if _row(item).block >= write.block:
                return None
            return _Again(insert=False, trouble="the fence failed without a reason")
        message = f"{code}: {error.get('Message', '')}"
        if code in _PERMANENT:
            raise refused(
                f"could not write the key {write.key!r} of machine {machine!r} in {self._table}: "
                f"{message}",
                code,
            )
        return _Again(insert=insert, trouble=message)

    def _failed(self, verb: str, machine: str, error: Exception) -> Exception:
        return unavailable(
            f"could not {verb} the state of machine {machine!r} in {self._table}", error
        )


_STATEMENTS = {
    (True, False): """INSERT INTO "{table}" VALUE """
    """{{'machine': ?, 'key': ?, 'block': ?, 'value': ?}}""",
    (True, True): """INSERT INTO "{table}" VALUE """
    """{{'machine': ?, 'key': ?, 'block': ?, 'deleted': ?, 'expires': ?}}""",
    (False, False): """UPDATE "{table}" SET "value" = ? SET "block" = ? """
    """REMOVE "deleted" REMOVE "expires" """
    """WHERE "machine" = ? AND "key" = ? AND "block" < ?""",
    (False, True): """UPDATE "{table}" SET "deleted" = ? SET "expires" = ? SET "block" = ? """
    """REMOVE "value" WHERE "machine" = ? AND "key" = ? AND "block" < ?""",
}
"""By (insert, tombstone)."""


class _Again:
    """A statement that must be tried again.

    Attributes:
        insert: Whether as an insert.
        trouble: Why it failed, if it was no wrong guess; such tries wait first.
    """

    def __init__(self, *, insert: bool, trouble: str = "") -> None:
        self.insert = insert
        self.trouble = trouble


def _row(item: dict[str, AttributeValueTypeDef]) -> Row:
    try:
        key = item["key"]["S"]
        value = None if "deleted" in item else encode(from_attribute(item["value"]))
        return Row(key, value, int(item["block"]["N"]))
    except (KeyError, ValueError, LimitExceeded) as error:
        raise Corrupted(f"an item of the State table is no entry: {error!r}") from error


def _wire_bytes(write: Write, statement: BatchStatementRequestTypeDef) -> int:
    """Bytes of a statement in a request, or an upper bound where that surely does not matter."""
    if len(write.value or b"") <= _SURELY_SMALL:
        return _SURELY_SMALL * _WORST_GROWTH
    return len(json.dumps(statement)) + len(", ")


def _chunks(things: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
