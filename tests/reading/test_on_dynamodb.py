"""Reading machines through the real adapters, in an emulator of AWS."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from blockfold.adapters.clients import Clients
from blockfold.application.execute import Executor
from blockfold.application.restore import Target
from blockfold.bootstrap import Adapters, dumper, executor, restorer
from blockfold.client import Stack
from blockfold.client.state import StateReader
from blockfold.domain.errors import Unavailable
from blockfold.settings import Settings
from machines.ledger import Account, Token
from tests.contracts import resources
from tests.emulator import BareEmulator
from tests.properties.histories import NEVER
from tests.strategies import SENT, message

BANK = "bank"
PEOPLE = 60


class Bank:
    """The ledger's tables and bucket without a stack around them, and its blocks made here."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self.stack = Stack("Bank", {}, clients)
        self.stack.__dict__["adapters"] = Adapters(settings, clients)
        self.sent = 0

    def do(self, *actions: tuple[str, dict[str, Any]], flush: bool = True) -> None:
        """One message, one block."""
        self.sent += 1
        body: Sequence[dict[str, Any]] = [
            {"type": type_, "args": {"symbol": "gold", **args}, "id": f"{self.sent}-{position}"}
            for position, (type_, args) in enumerate(actions)
        ]
        wired: Executor = executor(self.stack.adapters)
        if not flush:
            wired = replace(wired, table=Unwritable(wired.table))  # type: ignore[arg-type]
        sent = message(self.sent, body, sent=SENT + self.sent)
        folded = wired.fold(BANK, [sent], deadline=NEVER)
        assert folded.error is None
        assert (folded.flush_error is None) is flush


class Unwritable:
    """A state table that takes no writes."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def write(self, *_: object) -> None:
        raise Unavailable("injected: the table takes no writes")


@pytest.fixture(scope="module")
def bank(emulator: BareEmulator) -> Bank:
    clients = resources.clients_of(emulator)
    bank = Bank(clients, resources.make(clients, "machines.ledger:Ledger"))
    names = [f"account {number:02}" for number in range(PEOPLE)]
    bank.do(("issue", {}), *(("open", {"account": name}) for name in names))
    bank.do(*(("mint", {"account": name, "amount": n + 1}) for n, name in enumerate(names)))
    bank.do(("transfer", {"source": names[30], "target": names[1], "amount": 5}))
    dumper(bank.stack.adapters).dump(BANK, 2)
    bank.do(("burn", {"account": names[9], "amount": 3}), flush=False)
    return bank


def richest(state: StateReader) -> list[tuple[str, int]]:
    top = Account.of(state).top("richest", 3, within="gold")
    return [(each.account[-2:], each.balance) for each in top]


def in_all(state: StateReader) -> int:
    return sum(each.balance for each in Account.of(state).each("gold"))


def test_records_at_the_head_and_in_the_past(bank: Bank) -> None:
    machine = bank.stack.machine(BANK)
    state = machine.state()
    assert state.number == 4
    accounts, whole = Account.of(state), PEOPLE * (PEOPLE + 1) // 2
    assert richest(state) == [("59", 60), ("58", 59), ("57", 58)]
    nine = accounts.get("gold", "account 09")
    assert nine is not None
    assert nine.balance == 7  # not in the table yet
    assert accounts.get("gold", "account") is None
    assert in_all(state) == whole - 3
    token = Token.of(state).get("gold")
    assert token is not None
    assert token.supply == whole - 3
    first = accounts.scan("gold", limit=25)
    second = accounts.scan("gold", limit=25, after=first.next)
    third = accounts.scan("gold", limit=25, after=second.next)
    seen = [each.account for page in (first, second, third) for each in page.items]
    assert seen == [f"account {number:02}" for number in range(PEOPLE)]
    assert third.next is None
    assert [in_all(machine.state(number)) for number in range(4)] == [0, 0, whole, whole]
    past = Account.of(machine.state("snapshot:2"))
    assert past.count("gold") == PEOPLE
    assert [each.account for each in past.top("richest", 1, within="gold")] == ["account 59"]


def test_what_is_held_stays_while_others_commit(bank: Bank) -> None:
    machine = bank.stack.machine(BANK)
    before = machine.state()
    expected = dict(before)
    bank.do(("open", {"account": "late"}), ("mint", {"account": "late", "amount": 10**30}))
    bank.do(("transfer", {"source": "late", "target": "account 03", "amount": 10**30}))
    restorer(bank.stack.adapters).carry_out(Target(BANK, block=2), deadline=NEVER)
    bank.do(("burn", {"account": "account 00", "amount": 1}))
    assert dict(before) == expected
    assert richest(before) == [("59", 60), ("58", 59), ("57", 58)]
    assert richest(machine.state(before.number + 2))[0] == ("03", 10**30 + 4)
    assert richest(machine.state())[0] == ("59", 60)


def test_outcomes_and_asyncio(bank: Bank) -> None:
    machine = bank.stack.async_machine(BANK)

    async def look() -> None:
        found, missing, head = await asyncio.gather(
            machine.outcome("3-0"), machine.outcome("x"), machine.head()
        )
        assert found is not None
        assert (found.number, found.outcome, found.type) == (3, "applied", "transfer")
        assert missing is None
        states = await asyncio.gather(*(machine.state(n) for n in range(head.number + 1)))
        sums = await asyncio.gather(*(state.run(in_all) for state in states))
        tokens = await asyncio.gather(*(state.get("token#gold") for state in states))
        for balance, token in zip(sums, tokens, strict=True):
            assert balance == (token["minted"] - token["burned"] if token else 0)
        assert [block.number async for block in machine.blocks()][-1] == head.number
        assert (await machine.wait("3-0", 5)).applied

    asyncio.run(asyncio.wait_for(look(), 60))
