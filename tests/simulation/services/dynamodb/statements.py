"""Executing PartiQL statements, one by one: what BatchExecuteStatement consists of.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.services.dynamodb import partiql
from tests.simulation.services.dynamodb.attributes import (
    Attribute,
    copied,
    normal,
    normal_item,
    ordered,
)
from tests.simulation.services.dynamodb.invalid import (
    ConditionFailed,
    Duplicate,
    Invalid,
    NoStatement,
    NoTable,
    Refused,
)
from tests.simulation.services.dynamodb.table import Key, Table
from tests.simulation.services.hook import Answer

CODES = {
    "ValidationException": "ValidationError",
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ResourceNotFoundException": "ResourceNotFound",
    "DuplicateItemException": "DuplicateItem",
}
"""What errors are called when they are a single statement's.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html"""

_PARAMETERS = {"Statement", "Parameters", "ReturnValuesOnConditionCheckFailure"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its parameters.

    Attributes:
        text: What it says.
        values: Its parameters, canonical.
        all_old: Whether a failed condition hands the stored item back.
        table: The table; None if there is none.
        place: The table's name and the item's key, if the statement names one.
    """

    text: partiql.Insert | partiql.Change
    values: Sequence[Attribute]
    all_old: bool
    table: Table | None
    place: tuple[str, Key] | None


def parsed(statement: Mapping[str, Any], tables: Mapping[str, Table]) -> Statement:
    """A statement of a request.

    Raises:
        Invalid: DynamoDB would refuse the whole request.
    """
    if not {"Statement", "Parameters"} <= statement.keys() <= _PARAMETERS:
        raise NotImplementedError(f"a statement with {sorted(statement)}")
    text = partiql.parse(statement["Statement"])
    values = [normal(each)[0] for each in statement["Parameters"]]
    all_old = statement.get("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD"
    table = tables.get(text.table)
    place: tuple[str, Key] | None = None
    if table is not None and len(values) == text.parameters:
        try:
            place = text.table, table.key_of(text.keys(values), exact=False)
        except Invalid:
            place = None  # which will be this statement's own failure
    return Statement(text, values, all_old, table, place)


def execute(statement: Statement) -> Answer:
    """The answer to one statement."""
    text = statement.text
    try:
        if statement.table is None:
            raise NoTable
        if len(statement.values) != text.parameters:
            raise NoStatement("Number of parameters in request and statement don't match.")
        if isinstance(text, partiql.Insert):
            _insert(statement.table, text, statement.values)
        else:
            _change(statement.table, text, statement.values)
    except Refused as error:
        told: dict[str, Any] = {"Code": CODES[error.code], "Message": error.message}
        if error.item is not None and statement.all_old and isinstance(error, ConditionFailed):
            told["Item"] = copied(error.item)
        if isinstance(error, (NoStatement, NoTable)):
            return {"Error": told}
        return {"Error": told, "TableName": text.table}
    return {"TableName": text.table}


def _insert(table: Table, text: partiql.Insert, values: Sequence[Attribute]) -> None:
    item, size = normal_item(dict(zip(text.names, values, strict=True)))
    key = table.key_of(item, exact=False)
    if (row := table.get(key)) is not None:
        raise Duplicate(row.item)
    table.put(key, item, size)


def _change(table: Table, text: partiql.Change, values: Sequence[Attribute]) -> None:
    new = dict(zip(text.set, values, strict=False))
    keys = text.keys(values)
    if not set(table.keys) <= keys.keys():
        raise NoStatement(
            "Where clause does not contain a mandatory equality on all key attributes"
        )
    key = table.key_of({name: keys[name] for name in table.keys}, exact=True)
    if set(table.keys) & {*text.set, *text.remove}:
        raise NoStatement("Cannot update attribute which is part of the key")
    row = table.get(key)
    if row is None:
        raise ConditionFailed(None)
    for (name, operator), value in zip(text.where, values[len(new) :], strict=True):
        stored = row.item.get(name)
        if (
            stored is None
            or stored.keys() != value.keys()
            or not partiql.COMPARE[operator](ordered(stored), ordered(value))
        ):
            raise ConditionFailed(row.item)
    kept = {name: each for name, each in row.item.items() if name not in text.remove}
    item, size = normal_item({**kept, **new})
    table.put(key, item, size, "Item size to update")
