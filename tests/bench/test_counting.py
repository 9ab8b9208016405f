"""The counting holds AWS's rules, by the examples of DynamoDB's Developer Guide.

"Read and write operations", "Item sizes and formats", "Transactions".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from bench.counting import STORED_BYTES, Item, Meter, Table, attach, read_trace

TABLES = {"t": Table(("id",)), "state": Table(("machine", "key"))}


def item(size: int, name: str = "1") -> Item:
    """An item of that many bytes."""
    frame = len("id") + len(name) + len("data")
    return {"id": {"S": name}, "data": {"B": b"x" * (size - frame)}}


def put(meter: Meter, size: int, *, done: bool = True) -> float:
    """Write units of putting an item over the one that the meter knows."""
    before = meter.counts.wru
    meter.count("PutItem", {"TableName": "t", "Item": item(size)}, {} if done else None)
    return meter.counts.wru - before


@pytest.mark.parametrize(
    ("size", "units"), [(100, 1), (512, 1), (1024, 1), (1025, 2), (1536, 2), (3 * 1024, 3)]
)
def test_a_write_takes_a_unit_for_each_started_kilobyte(size: int, units: int) -> None:
    assert put(Meter(TABLES), size) == units


def test_a_put_takes_the_larger_of_old_and_new_item() -> None:
    meter = Meter(TABLES)
    assert put(meter, 2048) == 2
    assert put(meter, 100) == 2
    assert put(meter, 100) == 1


def test_a_write_whose_condition_fails_takes_the_item_that_is_there() -> None:
    meter = Meter(TABLES)
    put(meter, 2048)
    assert put(meter, 100, done=False) == 2
    assert put(meter, 100) == 2, "the failed one has changed nothing"
    empty = Meter(TABLES)
    assert put(empty, 2048, done=False) == 1


def test_a_transaction_takes_twice_as_much_for_each_item() -> None:
    meter = Meter(TABLES)
    puts = [{"Put": {"TableName": "t", "Item": item(size, str(size))}} for size in (500, 1500)]
    meter.count("TransactWriteItems", {"TransactItems": puts}, {})
    assert meter.counts.wru == 2 * (1 + 2)


def test_a_batch_is_its_parts() -> None:
    meter = Meter(TABLES)
    parts = [{"PutRequest": {"Item": item(500, str(number))}} for number in range(25)]
    meter.count("BatchWriteItem", {"RequestItems": {"t": parts}}, {"UnprocessedItems": {}})
    assert meter.counts.wru == 25
    assert meter.counts.requests == {"BatchWriteItem": 1}


def test_deleting_takes_the_size_of_what_is_deleted() -> None:
    meter = Meter(TABLES)
    put(meter, 3000)
    before = meter.counts.wru
    meter.count("DeleteItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, {})
    assert meter.counts.wru - before == 3
    assert meter.counts.items == 0


def test_an_update_takes_what_it_leaves() -> None:
    meter = Meter(TABLES, lambda _table, _key: item(2000))
    meter.count("UpdateItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, {})
    assert meter.counts.wru == 2


INSERT = """INSERT INTO "state" VALUE {'machine': ?, 'key': ?, 'block': ?, 'value': ?}"""
UPDATE = (
    'UPDATE "state" SET "value" = ? SET "block" = ? REMOVE "deleted" REMOVE "expires" '
    'WHERE "machine" = ? AND "key" = ? AND "block" < ?'
)


def statements(meter: Meter, *parts: tuple[str, list[Any], dict[str, Any]]) -> float:
    before = meter.counts.wru
    asked = [{"Statement": text, "Parameters": given} for text, given, _ in parts]
    answers = {"Responses": [answer for _, _, answer in parts]}
    meter.count("BatchExecuteStatement", {"Statements": asked}, answers)
    return meter.counts.wru - before


def test_a_statement_is_a_write_of_its_item() -> None:
    meter = Meter(TABLES)
    machine, one, two = {"S": "m"}, {"S": "a"}, {"S": "b"}
    small, large = {"S": "x"}, {"S": "x" * 1500}
    inserts = [
        (INSERT, [machine, one, {"N": "1"}, small], {}),
        (INSERT, [machine, two, {"N": "1"}, large], {}),
    ]
    assert statements(meter, *inserts) == 1 + 2
    larger = (UPDATE, [large, {"N": "2"}, machine, one, {"N": "2"}], {})
    smaller = (UPDATE, [small, {"N": "2"}, machine, two, {"N": "2"}], {})
    assert statements(meter, larger, smaller) == 2 + 2
    fenced = {"Error": {"Code": "ConditionalCheckFailed"}}
    late = (UPDATE, [large, {"N": "1"}, machine, two, {"N": "1"}], fenced)
    assert statements(meter, late) == 1
    assert meter.counts.items == 2


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(0, True, 1), (0, False, 0.5), (4096, True, 1), (4096, False, 0.5), (8192, True, 2)],
)
def test_a_read_takes_a_unit_for_each_started_4_kilobytes(
    size: int, consistent: bool, units: float
) -> None:
    meter = Meter(TABLES)
    answer = {"Item": item(size)} if size else {}
    request = {"TableName": "t", "Key": {"id": {"S": "1"}}, "ConsistentRead": consistent}
    meter.count("GetItem", request, answer)
    assert meter.counts.rru == units


def test_batches_of_reads_round_each_item_up() -> None:
    """The guide: 1.5 KB and 6.5 KB count as 12 KB, not as 8."""
    meter = Meter(TABLES)
    found = [item(1536, "1"), item(6656, "2")]
    wanted = {"Keys": [{"id": {"S": name}} for name in "123"], "ConsistentRead": True}
    request = {"RequestItems": {"t": wanted}}
    meter.count("BatchGetItem", request, {"Responses": {"t": found}, "UnprocessedKeys": {}})
    assert meter.counts.rru == 12 / 4 + 1, "who is not there takes one, too"


def test_a_query_rounds_the_sum_up() -> None:
    """The guide: items of 40.8 KB together count as 44 KB, 1,500 of 64 bytes as 96 KB."""
    for sizes, kilobytes in (([4178] * 10, 44), ([64] * 1500, 96)):
        meter = Meter(TABLES)
        items = [item(size, str(number).zfill(4)) for number, size in enumerate(sizes)]
        answer = {"Items": items}
        meter.count("Query", {"TableName": "t", "ConsistentRead": True}, answer)
        assert meter.counts.rru == kilobytes / 4


def test_an_index_is_written_when_it_holds_the_item() -> None:
    meter = Meter({"t": Table(("id",), index=("store", "time"))})
    event = {"id": {"S": "1"}, "data": {"S": "x"}}
    meter.count("PutItem", {"TableName": "t", "Item": event}, {})
    assert meter.counts.wru == 1
    first = {**event, "id": {"S": "2"}, "store": {"S": "S"}, "time": {"S": "now"}}
    meter.count("PutItem", {"TableName": "t", "Item": first}, {})
    assert meter.counts.wru == 1 + 2
    stored = (2 + 1 + 4 + 1) * 2 + (5 + 1) + (4 + 3)
    indexed = (2 + 1) + (5 + 1) + (4 + 3)
    assert meter.counts.stored == stored + indexed + 3 * STORED_BYTES


def test_what_has_no_rule_is_not_passed_over() -> None:
    with pytest.raises(NotImplementedError, match="ExecuteTransaction"):
        Meter(TABLES).count("ExecuteTransaction", {}, {})
    with pytest.raises(NotImplementedError, match="DELETE"):
        statements(Meter(TABLES), ('DELETE FROM "t" WHERE "id" = ?', [{"S": "1"}], {}))


def test_what_boto3_sends_is_counted_also_of_resources() -> None:
    table = boto3.resource(
        "dynamodb", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
    ).Table("t")
    meter = Meter(TABLES)
    attach(meter, table.meta.client)
    stub = Stubber(table.meta.client)
    stub.add_response("put_item", {})
    stub.add_client_error("put_item", "ConditionalCheckFailedException", http_status_code=400)
    with stub:
        table.put_item(Item={"id": "1", "data": "x" * 1500})
        with pytest.raises(table.meta.client.exceptions.ConditionalCheckFailedException):
            table.put_item(Item={"id": "1", "data": "y" * 3000})
    assert meter.counts.requests == {"PutItem": 2}
    assert meter.counts.wru == 2 + 2


def test_a_trace_counts_like_the_requests_themselves(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    request = {"TableName": "t", "Item": {"id": {"S": "1"}, "data": {"B": "eHh4eA=="}}}
    lines = [
        {"operation": "PutItem", "request": request, "answer": {}},
        {"operation": "PutItem", "request": request, "answer": None},
    ]
    trace.write_text("".join(json.dumps(line) + "\n" for line in lines))
    meter = Meter(TABLES)
    read_trace(trace, meter)
    assert meter.counts.wru == 2
    assert meter.counts.stored == len("id1data") + 4 + STORED_BYTES
