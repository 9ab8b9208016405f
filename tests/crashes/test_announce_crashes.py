"""Stop the announcer before or after any step; the stream delivers again (law 8)."""

from __future__ import annotations

import pytest

from blockfold.adapters.memory import MemoryEventBus
from blockfold.application.announce import Announcer
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed, Moment, faulty
from tests.snapshots.stack import Stack

MACHINES = ("a", "b")


def fresh() -> Stack:
    stack = Stack(schedule=Schedule.new(2))
    for machine in MACHINES:
        stack.grow(3, machine)
    return stack


def announce(stack: Stack, bus: MemoryEventBus, faults: Faults) -> None:
    """All blocks, in two deliveries that mix the machines."""
    announcer = Announcer(faulty("machines", stack.machines, faults), faulty("bus", bus, faults))
    one, two = (stack.blocks(machine) for machine in MACHINES)
    announcer.announce([*two[:2], *one])
    announcer.announce(two[2:])


def rehearse() -> tuple[list[str], MemoryEventBus]:
    faults, bus = Faults(), MemoryEventBus()
    announce(fresh(), bus, faults)
    return faults.steps, bus


STEPS, TOLD = rehearse()


def test_the_rehearsal_takes_every_kind_of_step() -> None:
    assert STEPS.count("bus.publish") == 2
    assert STEPS.count("machines.get_many") == 2, "one look at all machines a delivery"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("position", range(len(STEPS)))
def test_killed_anywhere_then_delivered_again(position: int, moment: Moment) -> None:
    stack, bus = fresh(), MemoryEventBus()
    with pytest.raises(Killed):
        announce(stack, bus, Faults({position}, moment))
    before = stack.contents()
    announce(stack, bus, Faults())
    assert list(dict.fromkeys(bus.published)) == list(dict.fromkeys(TOLD.published))
    assert stack.contents() == before, "announcing changes nothing"
