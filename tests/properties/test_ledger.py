"""A token ledger keeps its sums, and nobody moves what is not theirs, whatever is sent to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from blockfold import Block, Head, Message, State, execute
from blockfold.domain.canonical import Canonical
from blockfold.domain.replay import EntriesSource, fold
from machines.ledger import MAX_MINTED, Account, Allowance, Ledger, Token
from tests.strategies import values

Sent = tuple[str, list[dict[str, Any]]]
"""Who sends, and what."""

PEOPLE = ["AROAADA", "AROABOB", "AROAEVE"]

symbols = st.sampled_from(["gold"] * 6 + ["iron#"])
names = st.sampled_from(["a", "a", "a", "b", "b", "c#"])
people = st.sampled_from([*PEOPLE, "AROAADA", "AROAADA", "AROABOB"])
few = st.integers(1, 40)
amounts = few | few | few | st.sampled_from([MAX_MINTED, MAX_MINTED - 3, 10**37])
wrong_amounts = st.sampled_from([0, -1, -(10**37), 1.5, "3", None, True, 10**39, 1e300])


def asked(type_: str, **args: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(type_), "args": st.fixed_dictionaries(args)})


def moves(amount: st.SearchStrategy[Any]) -> list[st.SearchStrategy[dict[str, Any]]]:
    return [
        asked("mint", symbol=symbols, account=names, amount=amount),
        asked("transfer", symbol=symbols, source=names, target=names, amount=amount),
        asked("transfer", symbol=symbols, source=names, target=names, amount=amount),
        asked("burn", symbol=symbols, account=names, amount=amount),
        asked("allow", symbol=symbols, account=names, spender=people, amount=amount),
    ]


good = st.one_of(
    *moves(amounts),
    asked("open", symbol=symbols, account=names),
    asked("issue", symbol=symbols),
    asked("close", symbol=symbols, account=names),
)
bad = st.one_of(
    *moves(wrong_amounts),
    asked("open", symbol=values, account=values),
    asked("steal", symbol=symbols),
    st.dictionaries(st.sampled_from(["type", "args"]), values),
)
some_bad = st.sampled_from([True, *[False] * 7]).flatmap(lambda is_bad: bad if is_bad else good)
sent = st.tuples(people, st.lists(some_bad, min_size=1, max_size=5))

OPENING: list[Sent] = [
    (
        "AROAADA",
        [
            {"type": "issue", "args": {"symbol": "gold"}},
            {"type": "open", "args": {"symbol": "gold", "account": "a"}},
            {"type": "mint", "args": {"symbol": "gold", "account": "a", "amount": 50}},
        ],
    ),
    (
        "AROABOB",
        [
            {"type": "open", "args": {"symbol": "gold", "account": "b"}},
            {"type": "issue", "args": {"symbol": "iron#"}},
            {"type": "open", "args": {"symbol": "iron#", "account": "c#"}},
        ],
    ),
]


class Run:
    """A ledger that is sent messages, one block each."""

    def __init__(self) -> None:
        self.entries: dict[str, Canonical] = {}
        self.head = Head(machine="bank")
        self.number = 0

    def send(self, who: str, actions: Sequence[dict[str, Any]], session: str = "x") -> Block:
        self.number += 1
        message = Message(
            id=f"m{self.number}",
            body=json.dumps(actions),
            sequence=str(self.number),
            sender=f"{who}:{session}",
        )
        block = execute(Ledger(), self.head, EntriesSource(self.entries), [message])
        fold(self.entries, block)
        self.head = block.head
        return block

    def do(self, who: str, type_: str, **args: Any) -> tuple[str, str | None]:
        """One action's outcome and reason."""
        block = self.send(who, [{"type": type_, "args": {"symbol": "gold", **args}}])
        ((_, _, record),) = block.body.actions
        return record.outcome, record.reason

    @property
    def state(self) -> State:
        return State(EntriesSource(self.entries))

    def balances(self, symbol: str = "gold") -> dict[str, int]:
        return {each.account: each.balance for each in Account.of(self.state).each(symbol)}

    def supply(self, symbol: str = "gold") -> int:
        token = Token.of(self.state).get(symbol)
        assert token is not None
        return token.supply


def assert_sums(run: Run) -> None:
    state = run.state
    for token in Token.of(state).each():
        accounts = list(Account.of(state).each(token.symbol))
        assert all(each.balance >= 0 for each in accounts)
        assert sum(each.balance for each in accounts) == token.supply
        assert 0 <= token.burned <= token.minted <= MAX_MINTED
        richest = Account.of(state).top("richest", 10, within=token.symbol)
        assert [each.balance for each in richest] == sorted(
            (each.balance for each in accounts), reverse=True
        )
    assert all(each.amount > 0 for each in Allowance.of(state).each())
    symbols = {token.symbol for token in Token.of(state).each()}
    assert {each.symbol for each in Account.of(state).each()} <= symbols


@given(some=st.lists(sent, min_size=4, max_size=12))
def test_sums_hold_whatever_is_sent(some: list[Sent]) -> None:
    run = Run()
    for who, actions in OPENING + some:
        block = run.send(who, actions)
        for _, _, record in block.body.actions:
            event(f"{record.type if record.outcome == 'applied' else ''} {record.outcome}")
            assert record.outcome != "failed", record.reason
        assert_sums(run)


@given(some=st.lists(sent, min_size=2, max_size=8), thefts=st.lists(good, min_size=1, max_size=6))
def test_who_owns_nothing_and_is_allowed_nothing_takes_nothing(
    some: list[Sent], thefts: list[dict[str, Any]]
) -> None:
    """Others may only give: no balance falls, nothing is minted, nothing is allowed."""
    run = Run()
    for who, actions in OPENING + some:
        run.send(who, actions)
    allowances = list(Allowance.of(run.state).each())
    before = {symbol: run.balances(symbol) for symbol in ("gold", "iron#")}
    supplies = {each.symbol: each.minted for each in Token.of(run.state).each()}
    run.send("AROAMALLORY", thefts, session="AROAADA")
    for symbol, balances in before.items():
        after = run.balances(symbol)
        assert {name: after[name] for name in balances} == balances
    of_others = [
        each for each in Allowance.of(run.state).each() if each.account in before[each.symbol]
    ]
    assert of_others == allowances, "accounts that were closed may be opened anew, by anybody"
    now = {each.symbol: each.minted for each in Token.of(run.state).each()}
    assert {symbol: now[symbol] for symbol in supplies} == supplies


def opened() -> Run:
    run = Run()
    for who, actions in OPENING:
        block = run.send(who, actions)
        assert block.outcomes["applied"] == len(actions)
    return run


def test_a_transfer_needs_the_owner_and_enough() -> None:
    run = opened()
    move = {"source": "a", "target": "b"}
    assert run.do("AROABOB", "transfer", **move, amount=1)[1] == "a belongs to somebody else"
    assert run.do("AROAADA", "transfer", **move, amount=51)[1] == "a has less than 51"
    assert run.do("AROAADA", "transfer", **move, amount=20) == ("applied", None)
    assert run.do("AROAADA", "transfer", source="a", target="a", amount=30) == ("applied", None)
    assert run.do("AROAADA", "transfer", source="a", target="z", amount=1)[0] == "rejected"
    assert run.balances() == {"a": 30, "b": 20}
    assert run.supply() == 50


def test_allowances_are_used_up_and_can_be_taken_back() -> None:
    run = opened()
    move = {"source": "a", "target": "b"}
    assert run.do("AROABOB", "allow", account="a", spender="AROABOB", amount=9)[0] == "rejected"
    run.do("AROAADA", "allow", account="a", spender="AROABOB", amount=9)
    assert run.do("AROABOB", "transfer", **move, amount=4) == ("applied", None)
    assert run.do("AROABOB", "transfer", **move, amount=6)[0] == "rejected"
    assert run.do("AROAEVE", "transfer", **move, amount=1)[0] == "rejected"
    assert run.do("AROABOB", "transfer", **move, amount=5) == ("applied", None)
    assert run.do("AROABOB", "transfer", **move, amount=1)[0] == "rejected"
    run.do("AROAADA", "allow", account="a", spender="AROABOB", amount=100)
    assert run.do("AROABOB", "transfer", **move, amount=42)[1] == "a has less than 42"
    allowed = Allowance.of(run.state).get("gold", "a", "AROABOB")
    assert allowed is not None
    assert allowed.amount == 100  # what was rejected used up nothing
    run.do("AROAADA", "allow", account="a", spender="AROABOB", amount=0)
    assert run.do("AROABOB", "burn", account="a", amount=1)[0] == "rejected"
    assert run.balances() == {"a": 41, "b": 9}


def test_minting_burning_and_closing() -> None:
    run = opened()
    assert run.do("AROABOB", "mint", account="b", amount=1)[1] == "only the issuer of gold mints it"
    assert run.do("AROAADA", "mint", account="a", amount=MAX_MINTED)[0] == "rejected"
    assert run.do("AROAADA", "mint", account="a", amount=MAX_MINTED - 50) == ("applied", None)
    assert run.balances()["a"] == run.supply() == MAX_MINTED
    assert run.do("AROAADA", "close", account="a")[1] == "a is not empty"
    run.do("AROAADA", "allow", account="a", spender="AROAEVE", amount=3)
    assert run.do("AROAADA", "burn", account="a", amount=MAX_MINTED) == ("applied", None)
    assert run.do("AROAADA", "mint", account="a", amount=1)[0] == "rejected"
    assert run.do("AROABOB", "close", account="a")[0] == "rejected"
    assert run.do("AROAADA", "close", account="a") == ("applied", None)
    assert Allowance.of(run.state).count() == 0
    assert run.balances() == {"b": 0}
    assert run.do("AROAEVE", "open", account="a") == ("applied", None)
    assert run.do("AROAADA", "issue")[1] == "there is a token gold already"


@pytest.mark.parametrize("amount", [0, -5, 1.5, "7", None, True])
def test_amounts_are_whole_and_positive(amount: Any) -> None:
    run = opened()
    assert run.do("AROAADA", "burn", account="a", amount=amount)[0] == "malformed"
    assert run.supply() == 50


def test_nobody_owns_nothing() -> None:
    run = Run()
    assert run.do("", "issue") == ("rejected", "the action has no sender")
    run.do("AROAADA", "issue")
    assert run.do("", "open", account="a") == ("rejected", "the action has no sender")
