"""How much one action may write: so that whatever is committed can be read and flushed again."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold import Block, Context, Head, Limits, Machine, State, action, execute
from blockfold.domain import state as state_module
from blockfold.domain.block import ActionRecord
from blockfold.domain.canonical import encode, encode_raw
from blockfold.domain.limits import MAX_ACTION_BYTES, MAX_ACTION_KEYS
from blockfold.domain.replay import EntriesSource, reexecute
from tests.strategies import message

VALUE = 300_000
NEVER_FULL = Limits(payload=10**9)


class Bulk(Machine):
    """Writes, deletes and emits as much as it is told."""

    @action
    def write(self, state: State, context: Context, sizes: list[int], letter: str = "x") -> None:
        for number, size in enumerate(sizes):
            state[f"k{number:03d}"] = letter * size

    @action
    def emit(self, state: State, context: Context, sizes: list[int]) -> None:
        for size in sizes:
            context.emit("Said", text="x" * size)

    @action
    def both(self, state: State, context: Context, sizes: list[int]) -> None:
        self.write(state, context, sizes)
        self.emit(state, context, sizes)

    @action
    def insist(self, state: State, context: Context, sizes: list[int]) -> None:
        for size in sizes:
            try:
                context.emit("Said", text="x" * size)
            except Exception:  # noqa: BLE001 - what this is about
                state["refused"] = state.get("refused", 0) + 1

    @action
    def keys(self, state: State, context: Context, count: int, size: int = 0) -> None:
        value = "x" * size
        for number in range(count):
            state[str(number)] = value

    @action
    def append(self, state: State, context: Context) -> None:
        for _, value in state.scan():
            value.append(1)

    @action
    def empty(self, state: State, context: Context) -> None:
        state.clear()


def run(
    *sent: tuple[str, dict[str, Any]], start: dict[str, bytes] | None = None
) -> tuple[Block, list[ActionRecord]]:
    """A block of these actions, each in a message; and what it says of them."""
    messages = [
        message(number, [{"type": type_, "args": args}])
        for number, (type_, args) in enumerate(sent, start=1)
    ]
    source = EntriesSource(start or {})
    block = execute(Bulk(), Head(machine="m"), source, messages, limits=NEVER_FULL)
    assert reexecute(Bulk(), Head(machine="m"), source, block).hash == block.hash
    return block, [record for _, _, record in block.body.actions]


def filling(bytes_: int, *, of_an_entry: int = len('"k000":"",')) -> list[int]:
    """Sizes of strings that take exactly so many bytes in a block."""
    whole, rest = divmod(bytes_, VALUE + of_an_entry)
    return [*[VALUE] * whole, rest - of_an_entry]


@pytest.mark.parametrize(("over", "outcome"), [(0, "applied"), (1, "failed")])
def test_changes_up_to_16_mib_are_applied_more_fail(over: int, outcome: str) -> None:
    sizes = filling(MAX_ACTION_BYTES + over)
    block, (bulk, neighbour) = run(("write", {"sizes": sizes}), ("keys", {"count": 1}))
    assert (bulk.outcome, bulk.environment) == (outcome, False)
    assert neighbour.outcome == "applied"
    if over:
        assert (
            bulk.reason == "the action writes more than 16,777,216 bytes, the most for one action"
        )
        assert block.body.changes == {"0": b'""'}
    else:
        written = encode_raw(block.body.set)
        assert len(written) + len(",") == len("{}") + MAX_ACTION_BYTES + len('"0":"",')


def test_events_count_like_changes() -> None:
    half = filling(MAX_ACTION_BYTES // 2)
    _, (write, emit, both) = run(
        ("write", {"sizes": half}), ("emit", {"sizes": half}), ("both", {"sizes": half})
    )
    assert [write.outcome, emit.outcome, both.outcome] == ["applied", "applied", "failed"]
    assert "16,777,216 bytes" in (both.reason or "")


def test_events_are_refused_as_they_come_and_not_kept_in_memory_till_the_end() -> None:
    block, (emit, insist) = run(
        ("emit", {"sizes": [VALUE] * 60}), ("insist", {"sizes": [VALUE] * 60})
    )
    assert emit.reason == "the action emits more than 16,777,216 bytes, the most for one action"
    assert insist.outcome == "applied"
    assert len(block.body.events) == MAX_ACTION_BYTES // VALUE
    assert block.body.changes == {"refused": str(60 - MAX_ACTION_BYTES // VALUE).encode()}


def test_bytes_are_counted_as_they_stand_in_the_block() -> None:
    sizes = [50_000] * (MAX_ACTION_BYTES // 200_000)
    _, (plain, escaped) = run(
        ("write", {"sizes": sizes}), ("write", {"sizes": sizes, "letter": "\x01"})
    )
    assert (plain.outcome, escaped.outcome) == ("applied", "failed")


def test_what_is_too_much_is_not_even_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One value below many keys takes no memory before, and would take 15 GB after."""
    encoded: list[object] = []
    encode_value = state_module.encode_value

    def counting(value: object) -> bytes:
        encoded.append(value)
        return encode_value(value)

    monkeypatch.setattr(state_module, "encode_value", counting)
    block = execute(
        Bulk(),
        Head(machine="m"),
        EntriesSource({}),
        [message(1, [{"type": "keys", "args": {"count": MAX_ACTION_KEYS, "size": VALUE}}])],
    )
    assert block.outcomes["failed"] == 1
    assert len(encoded) <= MAX_ACTION_BYTES // VALUE + 1


def test_up_to_50_000_keys_may_change() -> None:
    reason = "the action changes more than 50,000 keys, the most for one action"
    block, (most, more) = run(
        ("keys", {"count": MAX_ACTION_KEYS}), ("keys", {"count": MAX_ACTION_KEYS + 1})
    )
    assert (most.outcome, more.outcome, more.reason) == ("applied", "failed", reason)
    assert block.header.changes == MAX_ACTION_KEYS


@pytest.mark.parametrize("how", ["empty", "append"])
@pytest.mark.parametrize(("count", "outcome"), [(50_000, "applied"), (50_001, "failed")])
def test_deletions_and_changes_inside_of_values_count_too(
    how: str, count: int, outcome: str
) -> None:
    start = {str(number): encode([]) for number in range(count)}
    block, (record,) = run((how, {}), start=start)
    assert record.outcome == outcome
    assert block.header.changes == (count if outcome == "applied" else 0)
