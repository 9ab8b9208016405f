"""The contract of DynamoDB, as far as the adapters use it.

Each case says what AWS's documentation says; where that is silent, what DynamoDB Local does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from blockfold.adapters.dynamodb.state import _STATEMENTS
from tests.simulation.contract.backends import Backend, Item, code_of

OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@pytest.fixture
def machine() -> str:
    """A partition of its own."""
    return f"m/{uuid4().hex}"


def block(machine: str, number: int, **attributes: Item) -> Item:
    return {"machine": {"S": machine}, "number": {"N": str(number)}, **attributes}


def row(machine: str, key: str, **attributes: Item) -> Item:
    return {"machine": {"S": machine}, "key": {"S": key}, **attributes}


def stored(backend: Backend, key: Item) -> Item | None:
    table = backend.blocks if "number" in key else backend.state
    if key.keys() == {"machine"}:
        table = backend.machines
    found = backend.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
    return found.get("Item")  # type: ignore[no-any-return]


def commit(backend: Backend, item: Item, **more: Any) -> Any:
    return backend.dynamodb.put_item(
        TableName=backend.blocks,
        Item=item,
        ConditionExpression="attribute_not_exists(#number)",
        ExpressionAttributeNames={"#number": "number"},
        **more,
    )


def update(backend: Backend, machine: str, change: str, **more: Any) -> Any:
    return backend.dynamodb.update_item(
        TableName=backend.machines, Key={"machine": {"S": machine}}, UpdateExpression=change, **more
    )


def query(backend: Backend, machine: str, **more: Any) -> Any:
    values = {":machine": {"S": machine}, **more.pop("values", {})}
    return backend.dynamodb.query(
        TableName=more.pop("table", backend.blocks),
        KeyConditionExpression="machine = :machine" + more.pop("condition", ""),
        ExpressionAttributeValues=values,
        ConsistentRead=True,
        **more,
    )


def numbers(items: list[Item]) -> list[int]:
    return [int(item["number"]["N"]) for item in items]


# -- single items ----------------------------------------------------------------------------------


def test_an_item_comes_back_with_every_type(backend: Backend, machine: str) -> None:
    item = row(
        machine,
        "ключ/🔑",
        text={"S": ""},
        number={"N": "-12.5"},
        bytes={"B": b"\x00\xff"},
        flag={"BOOL": False},
        nothing={"NULL": True},
        list={"L": [{"N": "1"}, {"S": "é"}, {"L": []}]},
        map={"M": {"a.b": {"M": {}}, "ü": {"NULL": True}}},
    )
    backend.dynamodb.put_item(TableName=backend.state, Item=item)
    assert stored(backend, row(machine, "ключ/🔑")) == item


def test_an_item_that_is_not_there_is_left_out_of_the_answer(
    backend: Backend, machine: str
) -> None:
    answer = backend.dynamodb.get_item(
        TableName=backend.state, Key=row(machine, "k"), ConsistentRead=True
    )
    assert "Item" not in answer


def test_a_put_replaces_the_whole_item(backend: Backend, machine: str) -> None:
    for item in (row(machine, "k", a={"N": "1"}), row(machine, "k", b={"N": "2"})):
        backend.dynamodb.put_item(TableName=backend.state, Item=item)
    assert stored(backend, row(machine, "k")) == row(machine, "k", b={"N": "2"})


def test_deleting_twice_is_no_error(backend: Backend, machine: str) -> None:
    backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, "k"))
    for _ in range(2):
        backend.dynamodb.delete_item(TableName=backend.state, Key=row(machine, "k"))
        assert stored(backend, row(machine, "k")) is None


NUMBERS = {
    "1.0": "1",
    "-0": "0",
    "0001": "1",
    "-1.50": "-1.5",
    "1e3": "1000",
    "1.5E-7": "0.00000015",
    "1e20": "1" + "0" * 20,
    "1e125": "1" + "0" * 125,
    "1e-130": "0." + "0" * 129 + "1",
    "9" * 38: "9" * 38,
    "+1": "1",
    "12345678901234567890": "12345678901234567890",
}


def test_numbers_are_made_canonical(backend: Backend, machine: str) -> None:
    item = row(machine, "k", **{f"n{given}": {"N": given} for given in NUMBERS})
    backend.dynamodb.put_item(TableName=backend.state, Item=item)
    kept = {f"n{given}": {"N": kept} for given, kept in NUMBERS.items()}
    assert stored(backend, row(machine, "k")) == row(machine, "k", **kept)


def test_numbers_inside_lists_and_maps_are_made_canonical(backend: Backend, machine: str) -> None:
    given: Item = {"M": {"list": {"L": [{"N": each} for each in NUMBERS]}}}
    kept: Item = {"M": {"list": {"L": [{"N": each} for each in NUMBERS.values()]}}}
    backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, "k", v=given))
    assert stored(backend, row(machine, "k")) == row(machine, "k", v=kept)


def nested(levels: int) -> Item:
    value: Item = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def test_the_largest_item_and_the_deepest_are_stored(backend: Backend, machine: str) -> None:
    left = 400 * 1024 - len("machine" + machine + "key" + "k" + "v")
    for value in ({"B": b"x" * left}, nested(31)):
        backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, "k", v=value))
        assert stored(backend, row(machine, "k")) == row(machine, "k", v=value)


BAD_ITEMS: dict[str, Callable[[str], Item]] = {
    "no sort key": lambda machine: {"machine": {"S": machine}},
    "empty sort key": lambda machine: row(machine, ""),
    "empty partition key": lambda _: row("", "k"),
    "sort key of another type": lambda machine: {**row(machine, "k"), "key": {"N": "1"}},
    "sort key too long": lambda machine: row(machine, "é" * 513),
    "partition key too long": lambda _: row("m" * 2049, "k"),
    "one byte too large": lambda machine: row(
        machine, "k", v={"B": b"x" * (400 * 1024 - len("machine" + machine + "key" + "k"))}
    ),
    "39 digits": lambda machine: row(machine, "k", v={"N": "1" * 39}),
    "too large a number": lambda machine: row(machine, "k", v={"N": "1e126"}),
    "too small a number": lambda machine: row(machine, "k", v={"N": "-1e-131"}),
    "no number": lambda machine: row(machine, "k", v={"N": "NaN"}),
    "a number with spaces": lambda machine: row(machine, "k", v={"N": " 1"}),
    "too deep": lambda machine: row(machine, "k", v=nested(32)),
    "null that is false": lambda machine: row(machine, "k", v={"NULL": False}),
    "two types": lambda machine: row(machine, "k", v={"S": "x", "N": "1"}),
    "an empty name in a map": lambda machine: row(machine, "k", v={"M": {"": {"S": "x"}}}),
    "an empty name": lambda machine: {**row(machine, "k"), "": {"S": "x"}},
}


@pytest.mark.parametrize("item", BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_an_item_that_it_does_not_take_is_invalid(
    backend: Backend, machine: str, item: Callable[[str], Item]
) -> None:
    bad = item(machine)
    put = backend.dynamodb.put_item
    assert code_of(lambda: put(TableName=backend.state, Item=bad)) == "ValidationException"
    assert query(backend, machine, table=backend.state)["Items"] == []


def test_a_key_with_more_than_the_key_is_invalid(backend: Backend, machine: str) -> None:
    get = backend.dynamodb.get_item
    key = row(machine, "k", more={"S": "x"})
    assert code_of(lambda: get(TableName=backend.state, Key=key)) == "ValidationException"


NO_TABLE: dict[str, Callable[[Any], object]] = {
    "get": lambda on: on.get_item(TableName="none", Key=row("m", "k")),
    "put": lambda on: on.put_item(TableName="none", Item=row("m", "k")),
    "update": lambda on: on.update_item(
        TableName="none",
        Key=row("m", "k"),
        UpdateExpression="SET a = :a",
        ExpressionAttributeValues={":a": {"N": "1"}},
    ),
    "delete": lambda on: on.delete_item(TableName="none", Key=row("m", "k")),
    "query": lambda on: on.query(
        TableName="none",
        KeyConditionExpression="machine = :m",
        ExpressionAttributeValues={":m": {"S": "m"}},
    ),
    "scan": lambda on: on.scan(TableName="none"),
    "batch get": lambda on: on.batch_get_item(RequestItems={"none": {"Keys": [row("m", "k")]}}),
    "batch write": lambda on: on.batch_write_item(
        RequestItems={"none": [{"DeleteRequest": {"Key": row("m", "k")}}]}
    ),
}


@pytest.mark.parametrize("call", NO_TABLE.values(), ids=NO_TABLE)
def test_a_missing_table_is_not_found(backend: Backend, call: Callable[[Any], object]) -> None:
    assert code_of(lambda: call(backend.dynamodb)) == "ResourceNotFoundException"


# -- conditions ------------------------------------------------------------------------------------


def test_the_second_commit_of_a_number_fails_and_gets_the_winner(
    backend: Backend, machine: str
) -> None:
    winner = block(machine, 1, hash={"B": b"winner"})
    commit(backend, winner)
    with pytest.raises(ClientError) as caught:
        commit(backend, block(machine, 1, hash={"B": b"loser"}), **OLD)
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert caught.value.response["Item"] == winner  # type: ignore[typeddict-item]
    assert stored(backend, block(machine, 1)) == winner


def test_the_winner_comes_only_if_asked_for(backend: Backend, machine: str) -> None:
    commit(backend, block(machine, 1))
    with pytest.raises(ClientError) as caught:
        commit(backend, block(machine, 1))
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert "Item" not in caught.value.response


SEVEN = {":seven": {"N": "7"}}
CONDITIONS = {
    "n = :seven": True,
    "n < :seven": False,
    "n <= :seven": True,
    "n > :seven": False,
    "n >= :seven": True,
    "absent = :seven": False,
    "absent < :seven": False,
    "s < :seven": False,
    "s = :seven": False,
    "m.inside < :seven": True,
    "m.absent < :seven": False,
    "n.inside < :seven": False,
    "attribute_exists(n) AND n = :seven": True,
    "attribute_exists(m.inside) AND n = :seven": True,
    "attribute_not_exists(m.inside) AND n = :seven": False,
    "attribute_not_exists(absent) OR absent < :seven": True,
    "attribute_not_exists(n) OR n < :seven": False,
    "attribute_exists(machine) AND (attribute_not_exists(n) OR m.inside < :seven)": True,
    "(attribute_not_exists(n) OR n < :seven) AND m.inside < :seven": False,
    "attribute_not_exists(n) OR n = :seven AND s = :seven": False,
    "s = :seven AND attribute_not_exists(n) OR n = :seven": True,
}


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS.items())
def test_a_condition_on_an_item(
    backend: Backend, machine: str, condition: str, holds: bool
) -> None:
    item = {
        "machine": {"S": machine},
        "n": {"N": "7"},
        "s": {"S": "7"},
        "m": {"M": {"inside": {"N": "3"}}},
    }
    backend.dynamodb.put_item(TableName=backend.machines, Item=item)

    def change() -> Any:
        return update(
            backend,
            machine,
            "SET done = :seven",
            ConditionExpression=condition,
            ExpressionAttributeValues=SEVEN,
        )

    if holds:
        change()
        item["done"] = {"N": "7"}
    else:
        assert code_of(change) == "ConditionalCheckFailedException"
    assert stored(backend, {"machine": {"S": machine}}) == item


def test_numbers_in_conditions_compare_as_numbers(backend: Backend, machine: str) -> None:
    update(backend, machine, "SET n = :n", ExpressionAttributeValues={":n": {"N": "9"}})
    update(
        backend,
        machine,
        "SET n = :n",
        ConditionExpression="n < :n",
        ExpressionAttributeValues={":n": {"N": "10"}},
    )
    found = stored(backend, {"machine": {"S": machine}})
    assert found is not None
    assert found["n"] == {"N": "10"}


def test_a_failed_update_makes_no_item(backend: Backend, machine: str) -> None:
    code = code_of(
        lambda: update(
            backend,
            machine,
            "SET n = :seven",
            ConditionExpression="attribute_exists(machine)",
            ExpressionAttributeValues=SEVEN,
        )
    )
    assert code == "ConditionalCheckFailedException"
    assert stored(backend, {"machine": {"S": machine}}) is None


# -- updates ---------------------------------------------------------------------------------------


def test_an_update_makes_the_item_and_answers_with_all_of_it(
    backend: Backend, machine: str
) -> None:
    values = {":none": {"N": "0"}, ":dumper": {"L": [{"S": "x"}]}}
    change = "SET flushed = if_not_exists(flushed, :none), dumper = if_not_exists(dumper, :dumper)"
    for _ in range(2):
        answer = update(
            backend, machine, change, ExpressionAttributeValues=values, ReturnValues="ALL_NEW"
        )
        assert answer["Attributes"] == {
            "machine": {"S": machine},
            "flushed": {"N": "0"},
            "dumper": {"L": [{"S": "x"}]},
        }
        values = {":none": {"N": "9"}, ":dumper": {"S": "other"}}


def test_an_update_sets_removes_and_adds(backend: Backend, machine: str) -> None:
    before = {
        "machine": {"S": machine},
        "gone": {"S": "x"},
        "maps": {"M": {"a": {"N": "1"}, "b": {"N": "2"}}},
        "count": {"N": "1.5"},
    }
    backend.dynamodb.put_item(TableName=backend.machines, Item=before)
    update(
        backend,
        machine,
        "SET maps.a = :new, again = maps.b REMOVE gone, maps.b ADD #count :one, fresh :one",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":new": {"S": "y"}, ":one": {"N": "1"}},
    )
    assert stored(backend, {"machine": {"S": machine}}) == {
        "machine": {"S": machine},
        "maps": {"M": {"a": {"S": "y"}}},
        "again": {"N": "2"},
        "count": {"N": "2.5"},
        "fresh": {"N": "1"},
    }


def test_an_update_reads_the_item_as_it_was_before(backend: Backend, machine: str) -> None:
    before = {"machine": {"S": machine}, "a": {"N": "1"}, "b": {"N": "2"}}
    backend.dynamodb.put_item(TableName=backend.machines, Item=before)
    update(backend, machine, "SET a = b, b = a, c = if_not_exists(a, b)")
    assert stored(backend, {"machine": {"S": machine}}) == {
        "machine": {"S": machine},
        "a": {"N": "2"},
        "b": {"N": "1"},
        "c": {"N": "1"},
    }


def test_removing_what_is_not_there_is_no_error(backend: Backend, machine: str) -> None:
    update(backend, machine, "REMOVE nothing")
    assert stored(backend, {"machine": {"S": machine}}) == {"machine": {"S": machine}}


BAD_UPDATES: dict[str, dict[str, Any]] = {
    "reserved word": {"UpdateExpression": "SET number = :seven"},
    "key attribute": {"UpdateExpression": "SET machine = :seven"},
    "path into nothing": {"UpdateExpression": "SET nothing.inside = :seven"},
    "overlapping paths": {"UpdateExpression": "SET maps = :seven, maps.inside = :seven"},
    "absent attribute as value": {"UpdateExpression": "SET a = nothing, b = :seven"},
    "adding to a string": {"UpdateExpression": "ADD s :seven"},
    "undefined value": {"UpdateExpression": "SET a = :seven, b = :eight"},
    "undefined name": {"UpdateExpression": "SET #a = :seven"},
    "unused value": {"UpdateExpression": "REMOVE a"},
    "unused name": {
        "UpdateExpression": "SET a = :seven",
        "ExpressionAttributeNames": {"#b": "b"},
    },
    "reserved word in the condition": {
        "UpdateExpression": "SET a = :seven",
        "ConditionExpression": "block < :seven",
    },
    "a clause twice": {"UpdateExpression": "SET a = :seven SET b = :seven"},
    "too large": {
        "UpdateExpression": "SET a = :seven, b = :large",
        "ExpressionAttributeValues": {**SEVEN, ":large": {"B": b"x" * 400 * 1024}},
    },
}


@pytest.mark.parametrize("change", BAD_UPDATES.values(), ids=BAD_UPDATES)
def test_an_update_that_makes_no_sense_is_invalid(
    backend: Backend, machine: str, change: dict[str, Any]
) -> None:
    before = {"machine": {"S": machine}, "s": {"S": "x"}}
    backend.dynamodb.put_item(TableName=backend.machines, Item=before)
    arguments = {
        "TableName": backend.machines,
        "Key": {"machine": {"S": machine}},
        "ExpressionAttributeValues": SEVEN,
        **change,
    }
    code = code_of(lambda: backend.dynamodb.update_item(**arguments))
    assert code == "ValidationException"
    assert stored(backend, {"machine": {"S": machine}}) == before


# -- queries and scans -----------------------------------------------------------------------------


def test_blocks_come_in_the_order_of_their_numbers(backend: Backend, machine: str) -> None:
    for number in (10, 9, 100, 2):
        commit(backend, block(machine, number))
    assert numbers(query(backend, machine)["Items"]) == [2, 9, 10, 100]
    newest = query(backend, machine, ScanIndexForward=False, Limit=1)
    assert numbers(newest["Items"]) == [100]


def test_keys_come_in_the_order_of_their_utf_8(backend: Backend, machine: str) -> None:
    keys = ["A", "a", "a/1", "a/10", "a/2", "z", "é", "\ufffd", "😀"]
    for key in reversed(keys):
        backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, key))
    found = query(backend, machine, table=backend.state)["Items"]
    assert [item["key"]["S"] for item in found] == keys


RANGES: dict[str, tuple[str, list[str], list[str]]] = {
    "prefix": ("begins_with(#key, :a)", ["b"], ["b", "b1", "b2"]),
    "up to": ("#key <= :a", ["b1"], ["a", "b", "b1"]),
    "below": ("#key < :a", ["b1"], ["a", "b"]),
    "from": ("#key >= :a", ["b2"], ["b2", "c"]),
    "above": ("#key > :a", ["b2"], ["c"]),
    "between": ("#key BETWEEN :a AND :b", ["b", "b2"], ["b", "b1", "b2"]),
    "between what is not there": ("#key BETWEEN :a AND :b", ["b0", "b9"], ["b1", "b2"]),
    "one": ("#key = :a", ["b1"], ["b1"]),
    "none": ("#key = :a", ["nothing"], []),
}


@pytest.mark.parametrize(("condition", "values", "found"), RANGES.values(), ids=RANGES)
def test_a_range_of_keys(
    backend: Backend, machine: str, condition: str, values: list[str], found: list[str]
) -> None:
    for key in ("a", "b", "b1", "b2", "c"):
        backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, key))
    answer = query(
        backend,
        machine,
        table=backend.state,
        condition=f" AND {condition}",
        values={f":{name}": {"S": value} for name, value in zip("ab", values, strict=False)},
        ExpressionAttributeNames={"#key": "key"},
    )
    assert [item["key"]["S"] for item in answer["Items"]] == found
    assert (answer["Count"], answer["ScannedCount"]) == (len(found), len(found))


BAD_QUERIES: dict[str, tuple[str, list[Item]]] = {
    "bounds in the wrong order": ("#key BETWEEN :a AND :b", [{"S": "b"}, {"S": "a"}]),
    "an empty bound": ("#key > :a", [{"S": ""}]),
    "a bound of another type": ("#key > :a", [{"N": "1"}]),
    "an empty prefix": ("begins_with(#key, :a)", [{"S": ""}]),
}


@pytest.mark.parametrize(("condition", "values"), BAD_QUERIES.values(), ids=BAD_QUERIES)
def test_a_query_that_makes_no_sense_is_invalid(
    backend: Backend, machine: str, condition: str, values: list[Item]
) -> None:
    def ask() -> Any:
        return query(
            backend,
            machine,
            table=backend.state,
            condition=f" AND {condition}",
            values={f":{name}": value for name, value in zip("ab", values, strict=False)},
            ExpressionAttributeNames={"#key": "key"},
        )

    assert code_of(ask) == "ValidationException"


def test_a_full_page_names_its_last_key_even_if_nothing_follows(
    backend: Backend, machine: str
) -> None:
    for number in range(1, 5):
        commit(backend, block(machine, number, more={"S": "x"}))
    first = query(backend, machine, Limit=3)
    assert numbers(first["Items"]) == [1, 2, 3]
    assert first["LastEvaluatedKey"] == block(machine, 3)
    second = query(backend, machine, Limit=1, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert numbers(second["Items"]) == [4]
    third = query(backend, machine, Limit=1, ExclusiveStartKey=second["LastEvaluatedKey"])
    assert third["Items"] == []
    assert "LastEvaluatedKey" not in third


@pytest.mark.parametrize("forward", [True, False])
def test_a_query_goes_on_behind_a_key_that_is_gone(
    backend: Backend, machine: str, forward: bool
) -> None:
    for number in (1, 2, 4, 5):
        commit(backend, block(machine, number))
    answer = query(backend, machine, ExclusiveStartKey=block(machine, 3), ScanIndexForward=forward)
    assert numbers(answer["Items"]) == ([4, 5] if forward else [2, 1])


def test_a_page_has_a_megabyte_and_the_paginator_reads_them_all(
    backend: Backend, machine: str
) -> None:
    for number in range(1, 6):
        commit(backend, block(machine, number, body={"B": b"x" * 300_000}))
    pages = list(
        backend.dynamodb.get_paginator("query").paginate(
            TableName=backend.blocks,
            KeyConditionExpression="machine = :machine",
            ExpressionAttributeValues={":machine": {"S": machine}},
            ConsistentRead=True,
        )
    )
    assert [number for page in pages for number in numbers(page["Items"])] == [1, 2, 3, 4, 5]
    assert len(pages) == 2
    assert pages[0]["LastEvaluatedKey"] == block(machine, numbers(pages[0]["Items"])[-1])
    assert "LastEvaluatedKey" not in pages[1]


def test_a_projection_has_what_was_asked_for(backend: Backend, machine: str) -> None:
    commit(backend, block(machine, 1, body={"B": b"x"}))
    answer = query(
        backend,
        machine,
        ProjectionExpression="machine, #sort, nothing",
        ExpressionAttributeNames={"#sort": "number"},
    )
    assert answer["Items"] == [block(machine, 1)]


def test_a_scan_meets_every_item_once(backend: Backend, machine: str) -> None:
    names = [f"{machine}/{number}" for number in range(9)]
    for name in names:
        backend.dynamodb.put_item(TableName=backend.machines, Item={"machine": {"S": name}})
    seen: list[str] = []
    arguments: dict[str, Any] = {"TableName": backend.machines, "Limit": 4}
    while True:
        answer = backend.dynamodb.scan(**arguments)
        seen += [item["machine"]["S"] for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert sorted(name for name in seen if name in names) == names


# -- batches ---------------------------------------------------------------------------------------


def test_a_batch_get_leaves_out_what_is_not_there(backend: Backend, machine: str) -> None:
    for key in "abc":
        backend.dynamodb.put_item(TableName=backend.state, Item=row(machine, key))
    keys = [row(machine, key) for key in "xabycz"]
    answer = backend.dynamodb.batch_get_item(
        RequestItems={backend.state: {"Keys": keys, "ConsistentRead": True}}
    )
    found = sorted(item["key"]["S"] for item in answer["Responses"][backend.state])
    assert found == ["a", "b", "c"]
    assert answer["UnprocessedKeys"] == {}


def test_a_batch_get_answers_sixteen_megabytes_and_names_the_rest(
    backend: Backend, machine: str
) -> None:
    keys = [row(machine, f"{number:02d}") for number in range(44)]
    for key in keys:
        item = {**key, "v": {"B": b"x" * 400_000}}
        backend.dynamodb.put_item(TableName=backend.state, Item=item)
    answer = backend.dynamodb.batch_get_item(
        RequestItems={backend.state: {"Keys": keys, "ConsistentRead": True}}
    )
    left = answer["UnprocessedKeys"][backend.state]
    assert left["ConsistentRead"] is True
    found = [row(machine, each["key"]["S"]) for each in answer["Responses"][backend.state]]
    assert len(left["Keys"]) in (2, 3)
    assert sorted([*left["Keys"], *found], key=str) == sorted(keys, key=str)


def test_a_batch_write_deletes_what_is_there(backend: Backend, machine: str) -> None:
    for number in (1, 2, 3):
        commit(backend, block(machine, number))
    answer = backend.dynamodb.batch_write_item(
        RequestItems={
            backend.blocks: [
                {"DeleteRequest": {"Key": block(machine, number)}} for number in (1, 3, 9)
            ]
        }
    )
    assert answer["UnprocessedItems"] == {}
    assert numbers(query(backend, machine)["Items"]) == [2]


BAD_BATCHES: dict[str, Callable[[Backend, str], object]] = {
    "101 keys": lambda on, machine: on.dynamodb.batch_get_item(
        RequestItems={on.state: {"Keys": [row(machine, str(number)) for number in range(101)]}}
    ),
    "a key twice": lambda on, machine: on.dynamodb.batch_get_item(
        RequestItems={on.state: {"Keys": [row(machine, "k"), row(machine, "k")]}}
    ),
    "26 deletions": lambda on, machine: on.dynamodb.batch_write_item(
        RequestItems={
            on.state: [{"DeleteRequest": {"Key": row(machine, str(each))}} for each in range(26)]
        }
    ),
    "a deletion twice": lambda on, machine: on.dynamodb.batch_write_item(
        RequestItems={on.state: [{"DeleteRequest": {"Key": row(machine, "k")}}] * 2}
    ),
}


@pytest.mark.parametrize("call", BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_batch_that_makes_no_sense_is_invalid(
    backend: Backend, machine: str, call: Callable[[Backend, str], object]
) -> None:
    assert code_of(lambda: call(backend, machine)) == "ValidationException"


# -- statements ------------------------------------------------------------------------------------


def insert(on: Backend, machine: str, key: str, number: int, **more: Any) -> Item:
    text = _STATEMENTS[True, False].format(table=more.pop("table", on.state))
    value = more.pop("value", {"S": f"{key}@{number}"})
    values = [{"S": machine}, {"S": key}, {"N": str(number)}, value]
    return {"Statement": text, "Parameters": values, **OLD, **more}


def change(on: Backend, machine: str, key: str, number: int, **more: Any) -> Item:
    text = _STATEMENTS[False, False].format(table=more.pop("table", on.state))
    block_: Item = {"N": str(number)}
    values = [{"S": f"{key}@{number}"}, block_, {"S": machine}, {"S": key}, block_]
    return {"Statement": text, "Parameters": values, **OLD, **more}


def bury(on: Backend, machine: str, key: str, number: int, *, new: bool = False) -> Item:
    block_: Item = {"N": str(number)}
    content = [{"BOOL": True}, {"N": "1900000000"}]
    place = [{"S": machine}, {"S": key}]
    values = [*place, block_, *content] if new else [*content, block_, *place, block_]
    text = _STATEMENTS[new, True].format(table=on.state)
    return {"Statement": text, "Parameters": values, **OLD}


def execute(on: Backend, *statements: Item) -> list[Any]:
    answers: list[Any] = on.dynamodb.batch_execute_statement(Statements=list(statements))[
        "Responses"
    ]
    return answers


def entry(machine: str, key: str, number: int) -> Item:
    value = {"S": f"{key}@{number}"}
    return row(machine, key, block={"N": str(number)}, value=value)


def test_statements_insert_change_and_bury(backend: Backend, machine: str) -> None:
    answers = execute(
        backend,
        insert(backend, machine, "a", 1),
        insert(backend, machine, "b", 1),
        bury(backend, machine, "c", 1, new=True),
    )
    assert [each.keys() for each in answers] == [{"TableName"}] * 3
    assert stored(backend, row(machine, "a")) == entry(machine, "a", 1)
    tomb: dict[str, Item] = {"deleted": {"BOOL": True}, "expires": {"N": "1900000000"}}
    assert stored(backend, row(machine, "c")) == row(machine, "c", block={"N": "1"}, **tomb)
    answers = execute(
        backend,
        change(backend, machine, "a", 2),
        bury(backend, machine, "b", 2),
        change(backend, machine, "c", 2),
    )
    assert [each.keys() for each in answers] == [{"TableName"}] * 3
    assert stored(backend, row(machine, "a")) == entry(machine, "a", 2)
    assert stored(backend, row(machine, "b")) == row(machine, "b", block={"N": "2"}, **tomb)
    assert stored(backend, row(machine, "c")) == entry(machine, "c", 2)


def test_each_statement_fails_by_itself_and_answers_stand_in_order(
    backend: Backend, machine: str
) -> None:
    execute(backend, insert(backend, machine, "there", 5))
    answers = execute(
        backend,
        insert(backend, machine, "first", 6),
        insert(backend, machine, "there", 6),
        change(backend, machine, "absent", 6),
        insert(backend, machine, "last", 6),
    )
    codes = [each.get("Error", {}).get("Code") for each in answers]
    assert codes == [None, "DuplicateItem", "ConditionalCheckFailed", None]
    assert stored(backend, row(machine, "there")) == entry(machine, "there", 5)
    assert stored(backend, row(machine, "absent")) is None
    assert stored(backend, row(machine, "last")) == entry(machine, "last", 6)


@pytest.mark.parametrize("number", [4, 5])
def test_the_fence_hands_the_newer_item_back(backend: Backend, machine: str, number: int) -> None:
    execute(backend, insert(backend, machine, "k", 5))
    (answer,) = execute(backend, change(backend, machine, "k", number))
    assert answer["Error"]["Code"] == "ConditionalCheckFailed"
    item = answer["Error"].get("Item") or answer.get("Item")
    assert item == entry(machine, "k", 5)
    assert stored(backend, row(machine, "k")) == entry(machine, "k", 5)


def test_the_fence_compares_numbers(backend: Backend, machine: str) -> None:
    execute(backend, insert(backend, machine, "k", 9))
    (answer,) = execute(backend, change(backend, machine, "k", 10))
    assert "Error" not in answer


@pytest.mark.parametrize("all_old", [True, False])
def test_a_failed_statement_on_an_absent_item_has_no_item(
    backend: Backend, machine: str, all_old: bool
) -> None:
    statement = change(backend, machine, "k", 1)
    if not all_old:
        del statement["ReturnValuesOnConditionCheckFailure"]
    (answer,) = execute(backend, statement)
    assert answer["Error"]["Code"] == "ConditionalCheckFailed"
    assert "Item" not in answer
    assert "Item" not in answer["Error"]


BAD_STATEMENTS: dict[str, tuple[str, Callable[[Backend, str], Item]]] = {
    "an empty key": ("ValidationError", lambda on, machine: insert(on, machine, "", 1)),
    "a key too long": ("ValidationError", lambda on, machine: insert(on, machine, "k" * 1025, 1)),
    "too large an item": (
        "ValidationError",
        lambda on, machine: insert(on, machine, "k", 1, value={"S": "x" * 409_600}),
    ),
    "too few parameters": (
        "ValidationError",
        lambda on, machine: {
            **insert(on, machine, "k", 1),
            "Parameters": [{"S": machine}, {"S": "k"}],
        },
    ),
    "a missing table": (
        "ResourceNotFound",
        lambda on, machine: insert(on, machine, "k", 1, table="none"),
    ),
}


@pytest.mark.parametrize(("code", "bad"), BAD_STATEMENTS.values(), ids=BAD_STATEMENTS)
def test_a_bad_statement_fails_alone(
    backend: Backend, machine: str, code: str, bad: Callable[[Backend, str], Item]
) -> None:
    answers = execute(backend, bad(backend, machine), insert(backend, machine, "good", 1))
    assert answers[0]["Error"]["Code"] == code
    assert "Error" not in answers[1]
    found = query(backend, machine, table=backend.state)["Items"]
    assert found == [entry(machine, "good", 1)]


BAD_REQUESTS: dict[str, Callable[[Backend, str], list[Item]]] = {
    "26 statements": lambda on, machine: [insert(on, machine, f"k{n}", 1) for n in range(26)],
    "a number out of range": lambda on, machine: [
        insert(on, machine, "good", 1),
        insert(on, machine, "k", 1, value={"N": "1e126"}),
    ],
}


@pytest.mark.parametrize("statements", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_fails_as_a_whole(
    backend: Backend, machine: str, statements: Callable[[Backend, str], list[Item]]
) -> None:
    asked = statements(backend, machine)
    assert code_of(lambda: execute(backend, *asked)) == "ValidationException"
    assert query(backend, machine, table=backend.state)["Items"] == []


def test_two_statements_for_one_item_are_a_bad_request(backend: Backend, machine: str) -> None:
    """Whether one of them is executed all the same is left open: DynamoDB Local executes both."""
    inserts = [insert(backend, machine, "k", number) for number in (1, 2)]
    changes = [change(backend, machine, "k", number) for number in (3, 4)]
    for statements in (inserts, changes):

        def ask(statements: list[Item] = statements) -> object:
            return execute(backend, *statements)

        assert code_of(ask) == "ValidationException"


# -- the stream ------------------------------------------------------------------------------------


def test_the_stream_tells_what_happened_to_an_item_in_order(backend: Backend, machine: str) -> None:
    backend.records()
    one = block(machine, 1, body={"B": b"\x00"})
    commit(backend, one)
    commit(backend, block(machine, 2))
    code_of(lambda: commit(backend, block(machine, 1)))
    backend.dynamodb.update_item(
        TableName=backend.blocks,
        Key=block(machine, 1),
        UpdateExpression="SET expires = :expires",
        ConditionExpression="attribute_exists(#number)",
        ExpressionAttributeNames={"#number": "number"},
        ExpressionAttributeValues={":expires": {"N": "1900000000"}},
    )
    backend.dynamodb.delete_item(TableName=backend.blocks, Key=block(machine, 1))
    backend.dynamodb.delete_item(TableName=backend.blocks, Key=block(machine, 3))
    told = [each for each in backend.records() if each[1]["machine"] == {"S": machine}]
    assert [each for each in told if each[1] == block(machine, 1)] == [
        ("INSERT", block(machine, 1), one),
        ("MODIFY", block(machine, 1), {**one, "expires": {"N": "1900000000"}}),
        ("REMOVE", block(machine, 1), None),
    ]
    assert [kind for kind, keys, _ in told if keys == block(machine, 2)] == ["INSERT"]
    assert len(told) == 4


def test_a_write_that_changes_nothing_is_not_told(backend: Backend, machine: str) -> None:
    backend.records()
    for _ in range(2):
        item = block(machine, 1, body={"B": b"\x00"})
        backend.dynamodb.put_item(TableName=backend.blocks, Item=item)
    told = [each for each in backend.records() if each[1]["machine"] == {"S": machine}]
    assert [kind for kind, _, _ in told] == ["INSERT"]
