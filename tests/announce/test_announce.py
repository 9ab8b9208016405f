"""What the world is told of a block: once at least, and exactly what stands in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Block, Context, Machine, State, action
from blockfold.adapters.memory import MemoryChecks, MemoryEventBus, MemoryMachines
from blockfold.application.announce import Announced, Announcer, block_executed
from blockfold.domain.errors import Unavailable
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Announcement, Check
from tests.faults import Faults, fail, faulty
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put
from tests.strategies import SENT, message


class Town(Machine):
    """Emits what it is told."""

    @action
    def tell(self, state: State, context: Context, events: dict[str, Any]) -> None:
        for type_, detail in events.items():
            context.emit(type_, **detail)
        state["told"] = state.get("told", 0) + len(events)


def told(stack: Stack, *blocks: Block) -> list[Announcement]:
    bus = MemoryEventBus()
    assert Announcer(stack.machines, bus).announce(blocks) == Announced(len(bus.published))
    return bus.published


def details(announcements: Sequence[Announcement]) -> list[Any]:
    return [json.loads(each.detail) for each in announcements]


@pytest.fixture
def stack() -> Stack:
    return Stack(schedule=Schedule.new(2))


def test_a_block_is_told_with_exactly_these_fields(stack: Stack) -> None:
    actions: list[dict[str, Any]] = [
        {"type": "run", "args": {"steps": []}},
        {"type": "run", "args": {"steps": [], "end": "reject"}},
        {"type": "run", "args": {"steps": [], "end": "crash"}},
        {"type": "run", "args": {"steps": [put("a", 1)]}},
        {"no": "action"},
    ]
    folded = stack.executor().fold(MACHINE, [message(1, actions)], deadline=NEVER)
    (block,) = folded.blocks
    announcement = told(stack, block)[0]
    assert (announcement.source, announcement.type) == ("blockfold", "BlockExecuted")
    assert announcement.time == block.header.time == SENT
    assert json.loads(announcement.detail) == {
        "machine": MACHINE,
        "number": 1,
        "epoch": 0,
        "hash": block.hash,
        "digest": block.header.digest,
        "actions": 5,
        "outcomes": {"applied": 2, "rejected": 1, "failed": 1, "malformed": 1},
        "time": SENT,
        "snapshot_due": False,
    }


def test_events_are_told_with_an_id_after_their_block(stack: Stack) -> None:
    town = stack.executor(machine=Town())
    events = {"Planted": {"tree": "o1", "deep": {"é": [1, None]}}, "Watered": {}}
    actions = [
        {"type": "tell", "args": {"events": events}},
        {"type": "nothing", "args": {}},
        {"type": "tell", "args": {"events": {"Cut": {"tree": "o1"}}}},
    ]
    (block,) = town.fold(MACHINE, [message(1, actions)], deadline=NEVER).blocks
    announcements = told(stack, block)
    assert [(each.source, each.type) for each in announcements] == [
        ("blockfold", "BlockExecuted"),
        ("blockfold.events", "Planted"),
        ("blockfold.events", "Watered"),
        ("blockfold.events", "Cut"),
    ]
    common = {"machine": MACHINE, "number": 1, "time": SENT}
    assert details(announcements)[1:] == [
        {**common, "id": f"{block.hash}/0", "action": 0, "detail": events["Planted"]},
        {**common, "id": f"{block.hash}/1", "action": 0, "detail": {}},
        {**common, "id": f"{block.hash}/2", "action": 2, "detail": {"tree": "o1"}},
    ]
    assert told(stack, block) == announcements, "a repeat is the same to the byte"


def test_no_reducer_speaks_for_blockfold(stack: Stack) -> None:
    town = stack.executor(machine=Town())
    forged = {"BlockExecuted": {"machine": "x", "snapshot_due": True}}
    actions = [{"type": "tell", "args": {"events": forged}}]
    (block,) = town.fold(MACHINE, [message(1, actions)], deadline=NEVER).blocks
    assert [each.source for each in told(stack, block)] == ["blockfold", "blockfold.events"]


def test_what_was_rejected_or_failed_tells_nothing(stack: Stack) -> None:
    actions = [
        {"type": "run", "args": {"steps": [put("a", 1)], "end": end}} for end in ("reject", "crash")
    ]
    (block,) = stack.executor().fold(MACHINE, [message(1, actions)], deadline=NEVER).blocks
    assert len(told(stack, block)) == 1


def test_restore_and_fork_blocks_are_told_like_all_others(stack: Stack) -> None:
    stack.grow(3)
    restored = stack.restore(1).block
    forked = stack.restore(2, fork="copy").block
    one, two = details(told(stack, restored, forked))
    assert (one["machine"], one["number"], one["actions"]) == (MACHINE, 4, 0)
    assert one["digest"] == stack.blocks()[0].header.digest
    assert one["snapshot_due"] is True
    assert (two["machine"], two["number"], two["snapshot_due"]) == ("copy", 1, False)


def test_a_batch_asks_once_for_all_its_machines(stack: Stack) -> None:
    blocks = []
    for number in range(60):
        stack.grow(1 + number % 2, f"m{number}")
        blocks += stack.blocks(f"m{number}")
    faults = Faults()
    announcer = Announcer(faulty("machines", stack.machines, faults), bus := MemoryEventBus())
    announcer.announce(blocks)
    assert faults.steps == ["machines.get_many"]
    assert sum(each.type == "BlockExecuted" for each in bus.published) == len(blocks) == 90


def test_snapshots_are_due_by_each_machines_own_schedule(stack: Stack) -> None:
    for machine in ("a", "b", "c"):
        stack.grow(1, machine)
    stack.dumper().set_count("b", 3)
    stack.dumper().stop("c")
    blocks = []
    for machine in ("a", "b", "c"):
        stack.grow(5, machine)
        blocks += stack.blocks(machine)
    blocks = blocks[::-1]
    due: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for each in details([each for each in told(stack, *blocks) if each.source == "blockfold"]):
        if each["snapshot_due"]:
            due[each["machine"]].append(each["number"])
    assert due == {"a": [6, 4, 2], "b": [6, 3], "c": []}


def test_a_block_of_a_machine_without_a_record_is_told_and_not_due(stack: Stack) -> None:
    stack.grow(2)
    stack.machines = MemoryMachines()
    (one, _, two, _) = details(told(stack, *stack.blocks()))
    assert not one["snapshot_due"]
    assert not two["snapshot_due"]


def test_no_blocks_are_no_events(stack: Stack) -> None:
    assert told(stack) == []


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 30), max_size=4))
def test_each_block_is_told_at_least_once_whatever_fails(
    lengths: list[int], troubles: list[int]
) -> None:
    """As the stream does: what was not announced comes again, together with what follows."""
    stack = Stack(schedule=Schedule.new(2))
    for length in lengths:
        stack.run(*[put("a", number) for number in range(length)])
    bus = MemoryEventBus()
    faults = Faults(set(troubles), "after" if len(troubles) % 2 else "before", fail)
    announcer = Announcer(faulty("machines", stack.machines, faults), faulty("bus", bus, faults))
    left = stack.blocks()
    for _ in range(40):
        if not left:
            break
        try:
            announcer.announce(left[:3])
        except Unavailable:
            continue
        left = left[3:]
    assert not left
    hashes = [each["hash"] for each in details(bus.published) if "hash" in each]
    assert list(dict.fromkeys(hashes)) == [block.hash for block in stack.blocks()]
    ids = [each["id"] for each in details(bus.published) if "id" in each]
    assert list(dict.fromkeys(ids)) == [f"{block.hash}/0" for block in stack.blocks()]


def test_the_detail_is_canonical(stack: Stack) -> None:
    block = stack.run(put("a", 1))
    detail = block_executed(block, due=True).detail
    assert (
        detail
        == json.dumps(
            json.loads(detail), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
    )


# -- checks ----------------------------------------------------------------------------------------


def checks_of(stack: Stack, *blocks: Block) -> list[Check]:
    checks = MemoryChecks()
    told = Announcer(stack.machines, MemoryEventBus(), checks).announce(blocks)
    assert (told.checks, told.trouble) == (len(checks.waiting), None)
    return checks.waiting


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"quiet": 30}, 30),
        ({"quiet": 30, "quiet_most": 40}, 30),
        ({"quiet": 3_600}, 900),
        ({"minutes": 2}, 120),
        ({"minutes": 60}, 900),
        ({"minutes": 2, "quiet": 300}, 120),
        ({"bytes": 5}, 10),
        ({"bytes": 5, "quiet": 2}, 2),
        ({"bytes": 5, "quiet": 30, "minutes": 60}, 10),
    ],
)
def test_a_check_comes_no_sooner_than_a_policy_could_call_for_a_snapshot(
    stack: Stack, fields: dict[str, int], seconds: int
) -> None:
    stack.grow(1)
    stack.dumper().set_policy(MACHINE, **fields)
    stack.grow(1)
    assert checks_of(stack, *stack.blocks()) == [Check(MACHINE, 2, seconds)]


def test_one_check_a_machine_and_batch_of_its_newest_block(stack: Stack) -> None:
    stack.schedule = Schedule.new(2, Policy(quiet=30))
    for machine in ("a", "b"):
        stack.grow(3, machine)
    stack.schedule = Schedule.new(2)
    stack.grow(3, "counted")
    blocks = [each for machine in ("b", "counted", "a") for each in stack.blocks(machine)]
    assert checks_of(stack, *blocks[::-1]) == [Check("a", 3, 30), Check("b", 3, 30)]


def test_a_machine_without_a_policy_in_force_asks_for_nothing(stack: Stack) -> None:
    stack.grow(2)
    assert checks_of(stack, *stack.blocks()) == []
    dumper = stack.dumper()
    dumper.set_policy(MACHINE, quiet=30)
    assert checks_of(stack, *stack.blocks()) == [], "no block was made under it"
    stack.grow(1)
    dumper.stop(MACHINE)
    assert checks_of(stack, *stack.blocks()) == []
    dumper.start(MACHINE)
    assert checks_of(stack, *stack.blocks()) == [Check(MACHINE, 3, 30)]
    stack.machines = MemoryMachines()
    assert checks_of(stack, *stack.blocks()) == []


def test_a_block_that_has_a_snapshot_asks_for_nothing(stack: Stack) -> None:
    stack.schedule = Schedule.new(None, Policy(quiet=30))
    stack.grow(4)
    stack.machines.note_snapshot(MACHINE, 3, SENT)
    assert checks_of(stack, *stack.blocks()[:3]) == []
    assert checks_of(stack, *stack.blocks()) == [Check(MACHINE, 4, 30)]


def test_checks_that_cannot_be_asked_for_hold_up_no_event(stack: Stack) -> None:
    """Publishing again would not help, and the sweep makes up for them."""
    stack.schedule = Schedule.new(None, Policy(quiet=30))
    stack.grow(2)
    bus = MemoryEventBus()
    checks = faulty("checks", MemoryChecks(), Faults({0}, "before", fail))
    told = Announcer(stack.machines, bus, checks).announce(stack.blocks())
    assert (told.events, told.checks, len(bus.published)) == (4, 0, 4)
    assert isinstance(told.trouble, Unavailable)


def test_an_event_that_cannot_be_published_is_an_error_before_any_check(stack: Stack) -> None:
    stack.schedule = Schedule.new(None, Policy(quiet=30))
    stack.grow(2)
    checks = MemoryChecks()
    bus = faulty("bus", MemoryEventBus(), Faults({0}, "before", fail))
    with pytest.raises(Unavailable):
        Announcer(stack.machines, bus, checks).announce(stack.blocks())
    assert checks.waiting == []
