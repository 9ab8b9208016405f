"""The contract of `StateTable` in memory and in the emulator, and the raw shape of its items."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold.adapters.dynamodb import DynamoStateTable
from blockfold.adapters.dynamodb.state import TOMBSTONE_SECONDS
from blockfold.adapters.memory import MemoryStateTable
from blockfold.bootstrap import Adapters
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Corrupted
from blockfold.ports import StateTable, Write
from tests.contracts.samples import new_machine, noise
from tests.contracts.state_table_contract import StateTableContract

NOW = 1_800_000_000


class FixedClock:
    def now(self) -> int:
        return NOW * 1000 + 999

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


class TestMemory(StateTableContract):
    @pytest.fixture
    def table(self) -> StateTable:
        return MemoryStateTable()


class TestMinistack(StateTableContract):
    @pytest.fixture
    def table(self, ministack: Adapters) -> StateTable:
        return DynamoStateTable(
            ministack.clients.dynamodb, ministack.settings.state_table, FixedClock()
        )

    def test_a_value_is_stored_as_native_attributes(
        self, table: StateTable, ministack: Adapters
    ) -> None:
        machine = new_machine()
        value = {"text": "x", "n": 1.5, "list": [None, True], "map": {}}
        table.write(machine, [Write("k", encode(value), 12)])
        assert self._item(ministack, machine) == {
            "machine": {"S": machine},
            "key": {"S": "k"},
            "block": {"N": "12"},
            "value": {
                "M": {
                    "text": {"S": "x"},
                    "n": {"N": "1.5"},
                    "list": {"L": [{"NULL": True}, {"BOOL": True}]},
                    "map": {"M": {}},
                }
            },
        }

    @pytest.mark.parametrize("stored", [False, True])
    @pytest.mark.parametrize("new", [False, True])
    def test_a_tombstone_has_no_value_and_expires(
        self, table: StateTable, ministack: Adapters, stored: bool, new: bool
    ) -> None:
        machine = new_machine()
        if stored:
            table.write(machine, [Write("k", encode("x"), 1)])
        table.write(machine, [Write("k", None, 2, new)])
        assert self._item(ministack, machine) == {
            "machine": {"S": machine},
            "key": {"S": "k"},
            "block": {"N": "2"},
            "deleted": {"BOOL": True},
            "expires": {"N": str(NOW + TOMBSTONE_SECONDS)},
        }

    @pytest.mark.parametrize("new", [False, True])
    def test_creating_a_key_again_takes_the_expiry_off(
        self, table: StateTable, ministack: Adapters, new: bool
    ) -> None:
        machine = new_machine()
        table.write(machine, [Write("k", None, 1)])
        table.write(machine, [Write("k", encode(0), 2, new)])
        assert self._item(ministack, machine) == {
            "machine": {"S": machine},
            "key": {"S": "k"},
            "block": {"N": "2"},
            "value": {"N": "0"},
        }

    def test_scanning_a_megabyte_takes_several_pages(
        self, table: StateTable, ministack: Adapters
    ) -> None:
        """Else the contract's test of a long scan shows nothing about pages."""
        machine = new_machine()
        table.write(machine, [Write(f"{n:03d}", encode(noise(20_000, n)), 1) for n in range(80)])
        pages = ministack.clients.dynamodb.get_paginator("query").paginate(
            TableName=ministack.settings.state_table,
            KeyConditionExpression="machine = :machine",
            ExpressionAttributeValues={":machine": {"S": machine}},
        )
        assert sum(1 for _ in pages) > 1

    @pytest.mark.parametrize(
        "item",
        [
            {"value": {"N": "1"}},
            {"block": {"N": "1"}},
            {"block": {"N": "1"}, "value": {"SS": ["a"]}},
            {"block": {"N": "1"}, "value": {"B": b"\0"}},
            {"block": {"N": "1"}, "value": {"M": {"deep": {"NS": ["1"]}}}},
            {"block": {"S": "one"}, "value": {"N": "1"}},
        ],
    )
    def test_an_item_that_is_no_entry_is_refused(
        self, table: StateTable, ministack: Adapters, item: dict[str, Any]
    ) -> None:
        machine = new_machine()
        ministack.clients.dynamodb.put_item(
            TableName=ministack.settings.state_table,
            Item={"machine": {"S": machine}, "key": {"S": "foreign"}, **item},
        )
        with pytest.raises(Corrupted, match="no entry"):
            table.get(machine, ["foreign"])
        with pytest.raises(Corrupted, match="no entry"):
            list(table.scan(machine))

    def test_a_write_onto_an_item_that_is_no_entry_is_refused(
        self, table: StateTable, ministack: Adapters
    ) -> None:
        machine = new_machine()
        item: Any = {"machine": {"S": machine}, "key": {"S": "foreign"}, "value": {"N": "1"}}
        ministack.clients.dynamodb.put_item(TableName=ministack.settings.state_table, Item=item)
        with pytest.raises(Corrupted, match="no entry"):
            table.write(machine, [Write("foreign", encode(1), 1)])

    def _item(self, adapters: Adapters, machine: str) -> dict[str, Any]:
        answer = adapters.clients.dynamodb.get_item(
            TableName=adapters.settings.state_table,
            Key={"machine": {"S": machine}, "key": {"S": "k"}},
            ConsistentRead=True,
        )
        return dict(answer["Item"])
