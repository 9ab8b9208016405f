"""What part of a partition a key condition asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.simulation.services.dynamodb.attributes import Attribute, ordered
from tests.simulation.services.dynamodb.expressions import KeyCondition, Scope
from tests.simulation.services.dynamodb.invalid import Invalid
from tests.simulation.services.dynamodb.table import Sort, Table


def select(table: Table, condition: KeyCondition, scope: Scope) -> tuple[str, list[Sort]]:
    """The partition, and its sort keys in order.

    Raises:
        Invalid: The condition does not fit the table.
    """
    token, value = condition.hash
    if scope.name(token) != table.hash:
        raise Invalid(f"Query condition missed key schema element: {table.hash}")
    hash_ = scope.value(value)
    _check(table.hash, "S", [hash_])
    partition: str = hash_["S"]
    if condition.sort is None:
        return partition, table.sorts(partition)
    token, operator, tokens = condition.sort
    if table.sort is None or scope.name(token) != table.sort[0]:
        raise Invalid("Query key condition not supported")
    values = [scope.value(each) for each in tokens]
    _check(*table.sort, values)
    return partition, _between(table, partition, operator, [ordered(each) for each in values])


def _between(table: Table, partition: str, operator: str, values: Sequence[Any]) -> list[Sort]:
    low = high = values[0]
    if operator in ("=", "BETWEEN"):
        high = values[-1]
        if low > high:
            raise Invalid(
                "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be "
                "greater than or equal to lower bound"
            )
        return table.sorts(partition, (low, True), (high, True))
    if operator == "begins_with":
        if not isinstance(low, str):
            raise Invalid("Invalid KeyConditionExpression: Incorrect operand type for begins_with")
        found = table.sorts(partition, (low, True))
        return [sort for sort in found if sort.startswith(low)]
    if operator in (">", ">="):
        return table.sorts(partition, (low, operator == ">="))
    return table.sorts(partition, None, (high, operator == "<="))


def _check(name: str, kind: str, values: Sequence[Attribute]) -> None:
    for value in values:
        if kind not in value:
            raise Invalid(
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type"
            )
        if not value[kind]:
            raise Invalid(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty string value. Key: {name}"
            )
