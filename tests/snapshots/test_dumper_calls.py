"""The design page's table: each call in each state of the dumper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

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
    "fresh": lambda dumper: dumper.set_policy(MACHINE, quiet=30),
    "fresh stopped": lambda dumper: (dumper.set_policy(MACHINE, quiet=30), dumper.stop(MACHINE)),
    "both": lambda dumper: (dumper.set_count(MACHINE, 5), dumper.set_policy(MACHINE, quiet=30)),
    "both stopped": lambda dumper: (
        dumper.set_count(MACHINE, 5),
        dumper.set_policy(MACHINE, quiet=30),
        dumper.stop(MACHINE),
    ),
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
    "set_policy 30": lambda dumper: dumper.set_policy(MACHINE, quiet=30),
    "set_policy bytes": lambda dumper: dumper.set_policy(MACHINE, bytes=9),
    "set_policy nil": lambda dumper: dumper.set_policy(MACHINE, quiet=None),
    "set_policy 0": lambda dumper: dumper.set_policy(MACHINE, quiet=0),
    "set_policy x": lambda dumper: dumper.set_policy(MACHINE, minutes="x"),
    "set_policy nothing": lambda dumper: dumper.set_policy(MACHINE),
    "dump": lambda dumper: dumper.dump_now(MACHINE),
    "dump at": lambda dumper: dumper.dump_now(MACHINE, 3),
    "status": lambda dumper: dumper.status(MACHINE),
}
SETS_NOTHING = ("set_count 0", "set_count -3", "set_count x", "set_count 2.5", "set_count true")

BAD_POLICIES = {
    "set_policy 0": "quiet must be a whole number",
    "set_policy x": "minutes must be a whole number",
    "set_policy nothing": "nothing is given",
}


class After(NamedTuple):
    """What a call answers, with the head at 7."""

    running: bool
    count: int | None
    next_due: int | None
    policy: dict[str, int] | None = None


OFF = After(False, None, None)
RUNNING = After(True, 5, 10)
STOPPED = After(False, 5, None)
FOUR = After(True, 4, 8)
QUIET = {"quiet": 30, "quiet_most": 600}
FRESH = After(True, None, None, QUIET)
FRESH_STOPPED = After(False, None, None, QUIET)
BOTH = After(True, 5, 10, QUIET)
BOTH_STOPPED = After(False, 5, None, QUIET)
STATE = {
    "never set": OFF,
    "running": RUNNING,
    "stopped": STOPPED,
    "forgotten": OFF,
    "fresh": FRESH,
    "fresh stopped": FRESH_STOPPED,
    "both": BOTH,
    "both stopped": BOTH_STOPPED,
}


def row(call: str, *afters: After, reason: dict[str, str] | None = None) -> list[Row]:
    """One call in all states, in their order; a state that differs after it is a change."""
    return [
        (call, state, after, after != STATE[state], (reason or {}).get(state))
        for state, after in zip(STATES, afters, strict=True)
    ]


Row = tuple[str, str, After, bool, str | None]

# call → what each state is after it: never set, running, stopped, forgotten, and with a policy
TABLE: list[Row] = [
    *row(
        "start",
        *(OFF, RUNNING, RUNNING, OFF, FRESH, FRESH, BOTH, BOTH),
        reason={"never set": WITHOUT, "forgotten": WITHOUT},
    ),
    *row(
        "stop",
        *(OFF, STOPPED, STOPPED, OFF),
        *(FRESH_STOPPED, FRESH_STOPPED, BOTH_STOPPED, BOTH_STOPPED),
    ),
    *row("set_count 4", *[FOUR] * 4, *[FOUR._replace(policy=QUIET)] * 4),
    *row("set_count 5", *[RUNNING] * 4, *[BOTH] * 4),
    *row("set_count nil", *[OFF] * 4, FRESH, FRESH_STOPPED, FRESH, FRESH_STOPPED),
    *row("set_policy 30", FRESH, BOTH, BOTH, FRESH, FRESH, FRESH, BOTH, BOTH),
    *row(
        "set_policy bytes",
        *(each._replace(policy={"bytes": 9}) for each in (FRESH, BOTH, BOTH, FRESH)),
        *(each._replace(policy={**QUIET, "bytes": 9}) for each in (FRESH, FRESH, BOTH, BOTH)),
    ),
    *row("set_policy nil", OFF, RUNNING, STOPPED, OFF, OFF, OFF, RUNNING, STOPPED),
    *(
        (call, state, STATE[state], False, "count must be a whole number")
        for call in SETS_NOTHING
        for state in STATES
    ),
    *(
        (call, state, STATE[state], False, reason)
        for call, reason in BAD_POLICIES.items()
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
    after: After,
    changed: bool,
    reason: str | None,
) -> None:
    STATES[state](stack.dumper())
    before = stack.contents()
    answer = CALLS[call](stack.dumper())
    assert answer.machine == MACHINE
    assert After(answer.running, answer.count, answer.next_due, answer.policy) == after
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
