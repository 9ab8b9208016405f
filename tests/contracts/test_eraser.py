"""The contract of `Eraser` in memory, in the emulator and in moto, and what the service may do."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from blockfold.adapters import backoff
from blockfold.adapters.dynamodb.erase import DynamoEraser
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryEraser,
    MemoryMachines,
    MemoryStateTable,
)
from blockfold.bootstrap import Adapters
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Misconfigured, NotFound, Unavailable
from blockfold.ports import Write
from tests.contracts.eraser_contract import Erasable, EraserContract, RowsContract
from tests.contracts.samples import new_machine


def on_dynamo(adapters: Adapters, client: Any = None) -> Erasable:
    settings = adapters.settings
    eraser = DynamoEraser(
        client or adapters.clients.dynamodb,
        blocks=settings.blocks_table,
        state=settings.state_table,
        machines=settings.machines_table,
    )
    return Erasable(eraser, adapters.log, adapters.table, adapters.machines)


class TestMemory(RowsContract):
    @pytest.fixture
    def stores(self) -> Erasable:
        log, table, machines = MemoryBlockLog(), MemoryStateTable(), MemoryMachines()
        return Erasable(MemoryEraser(log, table, machines), log, table, machines)


class TestMinistack(RowsContract):
    @pytest.fixture
    def stores(self, ministack: Adapters) -> Erasable:
        return on_dynamo(ministack)


class TestMoto(EraserContract):
    """Without rows: moto does not read the statements that write them."""

    @pytest.fixture
    def stores(self, moto: Adapters) -> Erasable:
        return on_dynamo(moto)


class Stubborn:
    """A client that leaves out deletions, so many times, or fails with a code."""

    def __init__(self, client: Any, *, times: int = 0, code: str = "") -> None:
        self._client = client
        self.times = times
        self.code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "BatchWriteItem")
        if self.times:
            self.times -= 1
            ((table, requests),) = RequestItems.items()
            self._client.batch_write_item(RequestItems={table: requests[:1]})
            rest = {table: requests[1:]} if requests[1:] else {}
            return {"UnprocessedItems": rest}
        answer: dict[str, Any] = self._client.batch_write_item(RequestItems=RequestItems)
        return answer


def filled(adapters: Adapters) -> str:
    machine = new_machine()
    adapters.table.write(machine, [Write(str(number), encode(number), 1) for number in range(30)])
    return machine


def test_what_the_service_leaves_out_is_asked_again(
    ministack: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.0)
    machine = filled(ministack)
    client = Stubborn(ministack.clients.dynamodb, times=3)
    assert on_dynamo(ministack, client).eraser.erase_state(machine) == 30
    assert client.times == 0
    assert list(ministack.table.scan(machine)) == []


def test_it_does_not_ask_for_ever(ministack: Adapters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.0)
    machine = filled(ministack)
    client = Stubborn(ministack.clients.dynamodb, times=99)
    with pytest.raises(Unavailable, match="could not delete items of machine"):
        on_dynamo(ministack, client).eraser.erase_state(machine)
    assert on_dynamo(ministack).eraser.erase_state(machine) == 30 - backoff.ATTEMPTS


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ResourceNotFoundException", NotFound),
        ("AccessDeniedException", Misconfigured),
        ("ThrottlingException", Unavailable),
    ],
)
def test_vendor_errors_are_translated(
    ministack: Adapters, code: str, error: type[Exception]
) -> None:
    machine = filled(ministack)
    with pytest.raises(error):
        on_dynamo(ministack, Stubborn(ministack.clients.dynamodb, code=code)).eraser.erase_state(
            machine
        )


def test_a_missing_table_is_told(ministack: Adapters) -> None:
    eraser = DynamoEraser(ministack.clients.dynamodb, blocks="no", state="no", machines="no")
    for erase in (eraser.erase_state, eraser.erase_blocks, eraser.erase_record):
        with pytest.raises(NotFound):
            erase("m")
