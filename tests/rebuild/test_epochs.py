"""New blocks are of the epoch that a rebuild began, whoever appends them."""

from __future__ import annotations

from blockfold.application.epoch import in_epoch
from blockfold.domain.block import Head
from blockfold.ports import MachineRecord
from tests.properties.histories import MACHINE
from tests.rebuild.test_rebuild import grown
from tests.rebuild.world import World
from tests.snapshots.stack import put


def test_the_higher_epoch_counts() -> None:
    head = Head(machine=MACHINE, number=4, epoch=2)
    assert in_epoch(head, None) == head
    assert in_epoch(head, MachineRecord(MACHINE)) == head
    assert in_epoch(head, MachineRecord(MACHINE, epoch=2)) == head
    assert in_epoch(head, MachineRecord(MACHINE, epoch=3)) == Head(
        machine=MACHINE, number=4, epoch=3
    )


def rebuilt() -> World:
    world = grown()
    world.lose()
    for machine in (MACHINE, "copy"):
        world.rebuild(machine)
    return world


def test_an_action_and_a_restore_are_of_the_new_epoch() -> None:
    for first_restore in (False, True):
        world = rebuilt()
        epochs = [world.newest().header.epoch]
        for restore in (first_restore, not first_restore):
            if restore:
                world.restore(5)
            else:
                world.run(put("key", 1))
            epochs.append(world.newest().header.epoch)
        assert epochs == [0, 1, 1]
        world.keep()
        world.assert_whole()


def test_a_fork_of_a_machine_of_a_later_epoch_begins_with_its_own() -> None:
    world = rebuilt()
    world.run(put("key", 1))
    world.restore(world.head(), fork="young")
    assert [block.header.epoch for block in world.blocks("young")] == [0]
    world.keep("young")
    world.assert_whole("young")


def test_a_fork_into_an_id_that_was_rebuilt_without_blocks_keeps_its_epoch() -> None:
    world = grown()
    world.machines.put(MachineRecord("young", epoch=3))
    world.restore(2, fork="young")
    assert [block.header.epoch for block in world.blocks("young")] == [3]
    world.keep("young")
    world.assert_whole("young")
