"""The design page's table: each call in each state of the dumper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from blockfold.application.dump import CHANGE_ATTEMPTS, Dumper, Status
from blockfold.domain.errors import NotFound, Unavailable
from blockfold.domain.schedule import Schedule
from blockfold.ports import MachineRecord
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack

HEAD = 7
WITHOUT = "no count is set: call set_count first"

STATES: dict[str, Callable[[Dumper], object]] = {
    "never set": lambda dumper: None,
    "running": lambda dumper: dumper.set_count(MACHINE, 5),
    "stopped": lambda dumper: (dumper.set_count(MACHINE, 5), dumper.stop(MACHINE)),
    "forgotten": lambda dumper: (dumper.set_count(MACHINE, 5), dumper.set_count(MACHINE, None)),
}
CALLS: dict[str, Callable[[Dumper], Status]] = {
    "start": lambda dumper: dumper.start(MACHINE),
    "stop": lambda dumper: dumper.stop(MACHINE),
    "set_count 4": lambda dumper: dumper.set_count(MACHINE, 4),
    "set_count 5": lambda dumper: dumper.set_count(MACHINE, 5),
    "set_count 0": lambda dumper: dumper.set_count(MACHINE, 0),
    "set_count -3": lambda dumper: dumper.set_count(MACHINE, -3),
    "set_count x": lambda dumper: dumper.set_count(MACHINE, "x"),
    "set_count 2.5": lambda dumper: dumper.set_count(MACHINE, 2.5),
    "set_count true": lambda dumper: dumper.set_count(MACHINE, True),
    "set_count nil": lambda dumper: dumper.set_count(MACHINE, None),
    "dump": lambda dumper: dumper.dump_now(MACHINE),
    "dump at": lambda dumper: dumper.dump_now(MACHINE, 3),
    "status": lambda dumper: dumper.status(MACHINE),
}
SETS_NOTHING = ("set_count 0", "set_count -3", "set_count x", "set_count 2.5", "set_count true")

# running, count, next due block with the head at 7
OFF = (False, None, None)
RUNNING = (True, 5, 10)
STOPPED = (False, 5, None)
FOUR = (True, 4, 8)
STATE = {"never set": OFF, "running": RUNNING, "stopped": STOPPED, "forgotten": OFF}

# call, state → what it is after, whether that is a change, and a reason if it was refused
TABLE: list[tuple[str, str, tuple[bool, int | None, int | None], bool, str | None]] = [
    ("start", "never set", OFF, False, WITHOUT),
    ("start", "running", RUNNING, False, None),
    ("start", "stopped", RUNNING, True, None),
    ("start", "forgotten", OFF, False, WITHOUT),
    ("stop", "never set", OFF, False, None),
    ("stop", "running", STOPPED, True, None),
    ("stop", "stopped", STOPPED, False, None),
    ("stop", "forgotten", OFF, False, None),
    *(("set_count 4", state, FOUR, True, None) for state in STATES),
    ("set_count 5", "never set", RUNNING, True, None),
    ("set_count 5", "running", RUNNING, False, None),
    ("set_count 5", "stopped", RUNNING, True, None),
    ("set_count 5", "forgotten", RUNNING, True, None),
    ("set_count nil", "never set", OFF, False, None),
    ("set_count nil", "running", OFF, True, None),
    ("set_count nil", "stopped", OFF, True, None),
    ("set_count nil", "forgotten", OFF, False, None),
    *(
        (call, state, STATE[state], False, "count must be a whole number")
        for call in SETS_NOTHING
        for state in STATES
    ),
    *((call, state, STATE[state], True, None) for call in ("dump", "dump at") for state in STATES),
    *(("status", state, STATE[state], False, None) for state in STATES),
]


def test_the_table_has_every_call_in_every_state() -> None:
    assert sorted(row[:2] for row in TABLE) == sorted(
        (call, state) for call in CALLS for state in STATES
    )


@pytest.fixture
def stack() -> Stack:
    stack = Stack()
    stack.grow(HEAD)
    return stack


@pytest.mark.parametrize(("call", "state", "after", "changed", "reason"), TABLE)
def test_a_call(
    stack: Stack,
    call: str,
    state: str,
    after: tuple[bool, int | None, int | None],
    changed: bool,
    reason: str | None,
) -> None:
    STATES[state](stack.dumper())
    before = stack.contents()
    answer = CALLS[call](stack.dumper())
    assert answer.machine == MACHINE
    assert (answer.running, answer.count, answer.next_due) == after
    assert answer.changed is changed
    assert (reason is None) == (answer.reason is None)
    assert answer.reason is None or answer.reason.startswith(reason or "")
    assert answer.last_snapshot == {"dump": HEAD, "dump at": 3}.get(call)
    assert (stack.contents() != before) is changed
    status = stack.dumper().status(MACHINE)
    assert status == replace(answer, changed=False, reason=None)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_repeated_changes_nothing_more(stack: Stack, call: str) -> None:
    STATES["running"](stack.dumper())
    CALLS[call](stack.dumper())
    before = stack.contents()
    again = CALLS[call](stack.dumper())
    assert not again.changed
    assert stack.contents() == before
    if call.startswith("dump"):
        assert again.reason == "that snapshot exists already"


@pytest.mark.parametrize("call", CALLS)
def test_a_machine_that_is_not_there_is_not_made_by_a_call(call: str) -> None:
    stack = Stack()
    with pytest.raises(NotFound, match=f"no machine {MACHINE!r}") as caught:
        CALLS[call](stack.dumper())
    assert caught.value.hint
    assert list(stack.machines.list()) == []


@pytest.mark.parametrize("number", [0, -1, HEAD + 1, 10**15])
def test_a_block_that_is_not_there_cannot_be_dumped(stack: Stack, number: int) -> None:
    before = stack.contents()
    with pytest.raises(NotFound, match=f"no block {number}") as caught:
        stack.dumper().dump_now(MACHINE, number)
    assert caught.value.hint == f"its blocks are 1 to {HEAD}"
    assert stack.contents() == before


def test_a_machine_without_blocks_says_so() -> None:
    stack = Stack()
    stack.machines.register(MACHINE, Schedule.new(3))
    with pytest.raises(NotFound) as caught:
        stack.dumper().dump_now(MACHINE)
    assert caught.value.hint == "it has no blocks yet"
    assert stack.dumper().status(MACHINE).next_due == 3
    assert stack.dumper().make_due(MACHINE, 3, deadline=NEVER) == []


def test_settings_are_kept_with_the_block_that_they_hold_from(stack: Stack) -> None:
    dumper = stack.dumper()
    dumper.set_count(MACHINE, 2)
    stack.grow(3)
    dumper.stop(MACHINE)
    stack.grow(2)
    dumper.start(MACHINE)
    record = stack.machines.get(MACHINE)
    assert record is not None
    found = [(each.first, each.running, each.count) for each in record.schedule.settings]
    assert found == [(1, False, None), (8, True, 2), (11, False, 2), (13, True, 2)]


def test_two_changes_at_once_are_both_made(stack: Stack) -> None:
    """The other's comes between our reading and our writing: ours is made on top of it."""

    class Meanwhile:
        others = 3

        def __getattr__(self, name: str) -> object:
            return getattr(stack.machines, name)

        def set_schedule(self, record: MachineRecord, schedule: Schedule) -> bool:
            if self.others:
                self.others -= 1
                stack.dumper().set_count(MACHINE, 10 + self.others)
            return stack.machines.set_schedule(record, schedule)

    stack.dumper().set_count(MACHINE, 5)
    dumper = replace(stack.dumper(), machines=Meanwhile())  # type: ignore[arg-type]
    assert dumper.stop(MACHINE).count == 10
    assert stack.dumper().status(MACHINE).running is False
    Meanwhile.others = CHANGE_ATTEMPTS
    with pytest.raises(Unavailable, match="changed 10 times meanwhile"):
        replace(stack.dumper(), machines=Meanwhile()).set_count(MACHINE, 3)  # type: ignore[arg-type]
