"""What a check costs: the calls of ports that it makes, each a request of its service."""

from __future__ import annotations

import pytest

from blockfold.application.checks import MOST_REMEMBERED, Tally
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Check
from tests.faults import Faults
from tests.policies.world import World
from tests.properties.histories import MACHINE

LOOK = ["machines.get", "log.head"]


def calls(world: World, check: Check) -> list[str]:
    """What a check calls, without the steps of reading on."""
    faults = Faults()
    world.check(check, faults)
    return [step for step in faults.steps if not step.endswith(".next")]


def grown(policy: Policy, blocks: int) -> World:
    world = World(schedule=Schedule.new(None, policy))
    for _ in range(blocks):
        world.move(world.time + 1)
        world.block()
    return world


def test_a_check_of_traffic_reads_record_and_head_and_the_oldest_block_once() -> None:
    world = grown(Policy(quiet=30), 5)
    assert calls(world, Check(MACHINE, 2, 30)) == [*LOOK, "log.get"]
    assert calls(world, Check(MACHINE, 3, 30)) == LOOK
    assert calls(world, Check(MACHINE, 4, 30)) == LOOK


def test_a_check_of_a_block_that_has_a_snapshot_reads_the_record_alone() -> None:
    world = grown(Policy(quiet=30), 5)
    world.check(Check(MACHINE, 5, 30))
    assert world.taken() == [5]
    assert calls(world, Check(MACHINE, 5, 30)) == ["machines.get"]
    assert calls(world, Check(MACHINE, 3, 30)) == ["machines.get"]


def test_a_check_that_is_put_off_is_one_message_more() -> None:
    world = grown(Policy(quiet=3_600), 5)
    assert calls(world, Check(MACHINE, 5, 900)) == [*LOOK, "log.get", "checks.later"]


def test_a_snapshot_that_a_check_makes_costs_what_any_does_and_a_note() -> None:
    world = grown(Policy(quiet=30), 5)
    faults = Faults()
    world.dumper(faults).dump(MACHINE, 5)
    dump = [step for step in faults.steps if not step.endswith(".next")]
    world = grown(Policy(quiet=30), 5)
    found = calls(world, Check(MACHINE, 5, 30))
    assert found == [*LOOK, "log.get", *dump, "machines.note_snapshot"]


def test_bytes_read_each_block_once_a_process_and_no_further_than_enough() -> None:
    world = grown(Policy(bytes=10**6), 40)

    def read(check: Check) -> int:
        faults = Faults()
        world.check(check, faults)
        return faults.steps.count("log.read.next")

    assert read(Check(MACHINE, 40, 10)) == 41, "each block, and the end"
    assert read(Check(MACHINE, 40, 10)) == 0
    for _ in range(3):
        world.block()
    assert read(Check(MACHINE, 43, 10)) == 4
    world.tally = Tally()
    assert read(Check(MACHINE, 43, 10)) == 44, "another process counts anew"
    world.dumper().set_policy(MACHINE, bytes=300)
    world.tally = Tally()
    faults = Faults()
    world.check(Check(MACHINE, 43, 10), faults)
    before_the_dump = faults.steps[: faults.steps.index("objects.list")]
    assert 1 <= before_the_dump.count("log.read.next") <= 3


# -- what a process remembers ----------------------------------------------------------------------


def test_a_tally_tells_what_is_there_whatever_it_was_asked_before() -> None:
    world = grown(Policy(bytes=10**6), 12)
    blocks = world.blocks()
    tally = Tally()
    for first, last in ((1, 3), (1, 9), (1, 5), (4, 12), (4, 12), (2, 12), (12, 12)):
        assert tally.time(world.log, MACHINE, first, 0) == blocks[first - 1].header.time
        expected = sum(len(block.payload) for block in blocks[first - 1 : last])
        assert tally.bytes(world.log, MACHINE, first, last, 10**9) == expected


@pytest.mark.parametrize("enough", [1, 200, 500, 1_000])
def test_a_tally_counts_on_when_more_is_asked_than_was_enough(enough: int) -> None:
    world = grown(Policy(bytes=10**6), 12)
    tally = Tally()
    assert tally.bytes(world.log, MACHINE, 1, 12, enough) >= enough
    whole = sum(len(block.payload) for block in world.blocks())
    assert tally.bytes(world.log, MACHINE, 1, 12, 10**9) == whole


def test_a_block_that_is_gone_counts_as_young() -> None:
    world = grown(Policy(minutes=1), 1)
    assert Tally().time(world.log, MACHINE, 2, otherwise=77) == 77


def test_a_tally_stays_small() -> None:
    world = grown(Policy(minutes=1), 1)
    tally = Tally()
    for number in range(MOST_REMEMBERED + 50):
        tally.time(world.log, f"m{number}", 1, otherwise=number)
        tally.bytes(world.log, f"m{number}", 1, 1, 5)
    assert len(tally._times) == MOST_REMEMBERED
    assert len(tally._bytes) <= MOST_REMEMBERED
    assert tally.time(world.log, MACHINE, 1, 0) == world.blocks()[0].header.time
