"""DynamoDB's data plane, with the operations and parameters that the adapters use.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html. Reads and writes of one
item are atomic; batches are not: each part of them is one step of `Hook.part`. Items come as
copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from tests.simulation.services.dynamodb import expressions, ranges, statements
from tests.simulation.services.dynamodb.attributes import (
    Item,
    copied,
    normal_item,
)
from tests.simulation.services.dynamodb.expressions import Scope
from tests.simulation.services.dynamodb.invalid import (
    ConditionFailed,
    Invalid,
    NoTable,
    Refused,
)
from tests.simulation.services.dynamodb.table import Key, Row, Table
from tests.simulation.services.faults import refusal
from tests.simulation.services.hook import Answer, Call, Client, Hook, PartFailed, operation
from tests.simulation.services.pages import Paginator

if TYPE_CHECKING:
    from tests.simulation.services.cloud import Cloud

PAGE_BYTES = 1024 * 1024
"""What Query and Scan read for one answer."""

BATCH_GET_BYTES = 16 * 1024 * 1024
BATCH_GET_KEYS = 100
BATCH_WRITE_ITEMS = 25
STATEMENTS = 25

_PAGED = {
    "query": ("ExclusiveStartKey", "LastEvaluatedKey"),
    "scan": ("ExclusiveStartKey", "LastEvaluatedKey"),
}
_NAMED = ("ExpressionAttributeNames", "ExpressionAttributeValues")


def _refuses(function: Callable[[Any, Call], Answer]) -> Callable[[Any, Call], Answer]:
    """Raise what boto3 raises for what DynamoDB refuses."""

    @wraps(function)
    def method(self: DynamoDB, call: Call) -> Answer:
        try:
            return function(self, call)
        except Refused as error:
            fields: dict[str, Any] = {} if error.item is None else {"Item": copied(error.item)}
            raise refusal(call.operation, error.code, error.message, **fields) from None

    return method


class DynamoDB(Client):
    """A boto3 DynamoDB client of a cloud."""

    client = "dynamodb"

    def __init__(self, cloud: Cloud, hook: Hook) -> None:
        super().__init__(hook)
        self._cloud = cloud

    def get_paginator(self, name: str) -> Paginator:
        """A paginator of ``query`` or ``scan``."""
        return Paginator(getattr(self, name), *_PAGED[name])

    # -- one item ------------------------------------------------------------------------------

    @operation("GetItem", ("TableName", "Key"), ("ConsistentRead",))
    @_refuses
    def get_item(self, call: Call) -> Answer:
        """Read an item."""
        table = self._table(call)
        key = self._key(table, call.params["Key"])
        row = table.get(key, consistent=call.params.get("ConsistentRead", False))
        return {"Item": copied(row.item)} if row else {}

    @operation(
        "PutItem",
        ("TableName", "Item"),
        ("ConditionExpression", *_NAMED, "ReturnValuesOnConditionCheckFailure"),
    )
    @_refuses
    def put_item(self, call: Call) -> Answer:
        """Store an item, if the condition holds."""
        table, scope = self._table(call), self._scope(call)
        item, size = normal_item(call.params["Item"])
        key = table.key_of(item, exact=False)
        self._check(call, scope, table.get(key))
        table.put(key, item, size)
        return {}

    @operation(
        "UpdateItem",
        ("TableName", "Key", "UpdateExpression"),
        ("ConditionExpression", *_NAMED, "ReturnValues", "ReturnValuesOnConditionCheckFailure"),
    )
    @_refuses
    def update_item(self, call: Call) -> Answer:
        """Change an item, or make one, if the condition holds."""
        table, scope = self._table(call), self._scope(call)
        change = expressions.update(call.params["UpdateExpression"])
        scope.use(change.tokens, "UpdateExpression")
        key = self._key(table, call.params["Key"])
        row = table.get(key)
        self._check(call, scope, row)
        before = row.item if row else normal_item(call.params["Key"])[0]
        after, size = normal_item(change.apply(before, scope, table.keys))
        table.put(key, after, size, "Item size to update")
        wanted = call.params.get("ReturnValues", "NONE")
        if wanted == "NONE":
            return {}
        if wanted == "ALL_NEW":
            return {"Attributes": copied(after)}
        raise NotImplementedError(f"ReturnValues={wanted}")

    @operation("DeleteItem", ("TableName", "Key"))
    @_refuses
    def delete_item(self, call: Call) -> Answer:
        """Delete an item, if there is one."""
        table = self._table(call)
        table.delete(self._key(table, call.params["Key"]))
        return {}

    # -- many items ----------------------------------------------------------------------------

    @operation(
        "Query",
        ("TableName", "KeyConditionExpression", "ExpressionAttributeValues"),
        (
            "ExpressionAttributeNames",
            "ProjectionExpression",
            "ScanIndexForward",
            "Limit",
            "ConsistentRead",
            "ExclusiveStartKey",
        ),
    )
    @_refuses
    def query(self, call: Call) -> Answer:
        """Read a partition in order, page by page."""
        table, scope = self._table(call), self._scope(call)
        condition = expressions.key_condition(call.params["KeyConditionExpression"])
        scope.use(condition.tokens, "KeyConditionExpression")
        project = self._projection(call, scope)
        scope.close()
        hash_, sorts = ranges.select(table, condition, scope)
        if not call.params.get("ScanIndexForward", True):
            sorts.reverse()
        if start := call.params.get("ExclusiveStartKey"):
            after = self._key(table, start).sort
            passed = next((at for at, sort in enumerate(sorts) if sort == after), None)
            if passed is None:  # it was deleted since
                forward = call.params.get("ScanIndexForward", True)
                sorts = [sort for sort in sorts if (sort > after) is forward]
            else:
                sorts = sorts[passed + 1 :]
        return self._page(call, table, (Key(hash_, sort) for sort in sorts), project)

    @operation("Scan", ("TableName",), ("ConsistentRead", "Limit", "ExclusiveStartKey"))
    @_refuses
    def scan(self, call: Call) -> Answer:
        """Read a table in no order, page by page."""
        table = self._table(call)
        start = call.params.get("ExclusiveStartKey")
        keys = table.every(self._key(table, start) if start else None)
        return self._page(call, table, keys, copied)

    def _page(
        self, call: Call, table: Table, keys: Iterator[Key], project: Callable[[Item], Item]
    ) -> Answer:
        """Items until the page is full, and then the key of the last one."""
        most = min(call.params.get("Limit", self._cloud.page), self._cloud.page)
        if most < 1:
            raise Invalid("Limit must be greater than or equal to 1")
        consistent = call.params.get("ConsistentRead", False)
        items: list[Item] = []
        seen = size = 0
        last: Item | None = None
        for key in keys:
            row = table.get(key, consistent=consistent)
            if row is None:
                continue
            items.append(project(row.item))
            seen += 1
            size += row.size
            if seen == most or size >= PAGE_BYTES:
                last = {name: dict(row.item[name]) for name in table.keys}
                break
        answer: Answer = {"Items": items, "Count": len(items), "ScannedCount": seen}
        if last is not None:
            answer["LastEvaluatedKey"] = last
        return answer

    @operation("BatchGetItem", ("RequestItems",))
    @_refuses
    def batch_get_item(self, call: Call) -> Answer:
        """Read items in no order; what is too much for one answer is left."""
        requests: dict[str, Any] = call.params["RequestItems"]
        wanted = [(name, key) for name, each in requests.items() for key in each["Keys"]]
        if not 0 < len(wanted) <= BATCH_GET_KEYS:
            raise Invalid("Too many items requested for the BatchGetItem call")
        for name, each in requests.items():
            if strange := each.keys() - {"Keys", "ConsistentRead"}:
                raise NotImplementedError(f"BatchGetItem of {strange}")
            self._distinct(self._named(name), each["Keys"])
        answers: dict[str, list[Item]] = {name: [] for name in requests}
        left: dict[str, Any] = {}
        size = 0
        self._cloud.random.shuffle(wanted)
        for index, (name, key) in enumerate(wanted):
            table = self._named(name)
            consistent = requests[name].get("ConsistentRead", False)

            def read(table: Table = table, key: Item = key, consistent: bool = consistent) -> Any:
                return table.get(self._key(table, key), consistent=consistent)

            row: Row | None = None
            try:
                if size >= BATCH_GET_BYTES:
                    raise PartFailed
                row = self.hook.part(call, index, read)
            except PartFailed:
                rest = {name: each for name, each in requests[name].items() if name != "Keys"}
                left.setdefault(name, {"Keys": [], **rest})["Keys"].append(copied(key))
                continue
            if row is not None:
                answers[name].append(copied(row.item))
                size += row.size
        return {"Responses": answers, "UnprocessedKeys": left}

    @operation("BatchWriteItem", ("RequestItems",))
    @_refuses
    def batch_write_item(self, call: Call) -> Answer:
        """Delete items, each by itself and in no order."""
        requests: dict[str, list[Any]] = call.params["RequestItems"]
        wanted = [(name, each) for name, all_ in requests.items() for each in all_]
        if not 0 < len(wanted) <= BATCH_WRITE_ITEMS:
            raise Invalid("Too many items requested for the BatchWriteItem call")
        for name, all_ in requests.items():
            if any(each.keys() != {"DeleteRequest"} for each in all_):
                raise NotImplementedError("BatchWriteItem of anything but DeleteRequest")
            self._distinct(self._named(name), [each["DeleteRequest"]["Key"] for each in all_])
        left: dict[str, list[Any]] = {}
        self._cloud.random.shuffle(wanted)
        for index, (name, each) in enumerate(wanted):
            table = self._named(name)
            key = self._key(table, each["DeleteRequest"]["Key"])

            def delete(table: Table = table, key: Key = key) -> None:
                table.delete(key)

            try:
                self.hook.part(call, index, delete)
            except PartFailed:
                copy = {"DeleteRequest": {"Key": copied(each["DeleteRequest"]["Key"])}}
                left.setdefault(name, []).append(copy)
        return {"UnprocessedItems": left}

    @operation("BatchExecuteStatement", ("Statements",))
    @_refuses
    def batch_execute_statement(self, call: Call) -> Answer:
        """Execute statements, each by itself and in no order; one answer for each."""
        asked: list[dict[str, Any]] = call.params["Statements"]
        if not 0 < len(asked) <= STATEMENTS:
            raise Invalid(
                f"1 validation error detected: Value at 'statements' failed to satisfy constraint: "
                f"Member must have length less than or equal to {STATEMENTS}"
            )
        parsed = [statements.parsed(each, self._cloud.tables) for each in asked]
        places = [each.place for each in parsed if each.place is not None]
        if len(set(places)) < len(places):
            raise Invalid("Provided list of item keys contains duplicates")
        answers: list[Answer] = [{} for _ in asked]
        order = list(range(len(asked)))
        self._cloud.random.shuffle(order)
        for index in order:

            def run(statement: statements.Statement = parsed[index]) -> Answer:
                return statements.execute(statement)

            try:
                answers[index] = self.hook.part(call, index, run)
            except PartFailed as error:
                answers[index] = {"Error": {"Code": error.code, "Message": error.message}}
        return {"Responses": answers}

    # -- what requests have in common ----------------------------------------------------------

    def _named(self, name: str) -> Table:
        table = self._cloud.tables.get(name)
        if table is None:
            raise NoTable
        return table

    def _table(self, call: Call) -> Table:
        return self._named(call.params["TableName"])

    def _scope(self, call: Call) -> Scope:
        return Scope(
            call.params.get("ExpressionAttributeNames"),
            call.params.get("ExpressionAttributeValues"),
        )

    def _key(self, table: Table, key: Item) -> Key:
        return table.key_of(normal_item(key)[0], exact=True)

    def _distinct(self, table: Table, keys: Sequence[Item]) -> None:
        if len({self._key(table, key) for key in keys}) < len(keys):
            raise Invalid("Provided list of item keys contains duplicates")

    def _check(self, call: Call, scope: Scope, row: Row | None) -> None:
        """Hold the condition against the stored row."""
        text = call.params.get("ConditionExpression")
        if text is None:
            scope.close()
            return
        condition = expressions.condition(text)
        scope.use(condition.tokens, "ConditionExpression")
        scope.close()
        if not condition.test(row.item if row else {}, scope):
            all_old = call.params.get("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD"
            raise ConditionFailed(row.item if row and all_old else None)

    def _projection(self, call: Call, scope: Scope) -> Callable[[Item], Item]:
        text = call.params.get("ProjectionExpression")
        if text is None:
            return copied
        tokens = expressions.projection(text)
        scope.use([token for token in tokens if token[0] == "#"], "ProjectionExpression")
        names = [scope.name(token) for token in tokens]
        return lambda item: copied({name: item[name] for name in names if name in item})
