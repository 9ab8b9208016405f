"""Only the bucket is left: every table comes back, item for item, and the chain goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.execute import Executor
from blockfold.application.kept_settings import KeptSettings
from blockfold.application.rebuild import Rebuilt
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.errors import Corrupted, NotFound, Refused
from blockfold.domain.retention import Retention
from blockfold.domain.schedule import Schedule
from blockfold.ports import MachineRecord
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.points import at_each
from tests.properties.histories import MACHINE
from tests.rebuild.world import World
from tests.snapshots.stack import drop, put


def grown() -> World:
    """Two machines, one of them restored and one a fork of it; all is archived."""
    world = World()
    world.grow(9)
    world.restore(3)
    world.grow(2)
    world.restore(5, fork="copy")
    world.run(put("only", "here"), drop("count"), machine="copy")
    for machine in (MACHINE, "copy"):
        world.keep(machine)
    return world


def test_lost_tables_come_back_item_for_item() -> None:
    world = grown()
    before = world.tables()
    world.lose()
    assert world.rebuilder().found() == ["copy", MACHINE]
    for machine in (MACHINE, "copy"):
        done = world.rebuild(machine)
        assert done.blocks == len(before["blocks"][machine])
        assert done.rows == len(before["rows"][machine])
        assert (done.epoch, done.erased) == (1, 0)
    assert world.tables() == before
    for machine in (MACHINE, "copy"):
        world.assert_whole(machine)


def test_the_next_action_continues_the_chain_in_the_next_epoch() -> None:
    world = grown()
    head = world.newest()
    world.lose()
    world.rebuild()
    block = world.run(put("after", 1), by=world.archived_executor())
    assert (block.number, block.header.parent) == (head.number + 1, head.hash)
    assert (head.header.epoch, block.header.epoch) == (0, 1)
    world.keep()
    world.assert_whole()
    world.lose()
    assert world.rebuild().epoch == 2
    assert world.newest().hash == block.hash


def test_what_was_never_archived_is_lost_and_cannot_come_back() -> None:
    world = grown()
    archived = world.newest()
    lost = [world.run(put("lost", number)) for number in range(3)]
    world.lose()
    done = world.rebuild()
    assert (done.number, done.hash) == (archived.number, archived.hash)
    # The stream delivers them late.
    world.archive.write(lost)
    world.keep()
    world.assert_whole()
    found = [world.run(put("found", number)) for number in range(2)]
    assert [block.number for block in found] == [block.number for block in lost[:2]]
    world.keep()
    world.assert_whole()
    world.lose()
    assert world.rebuild().hash == found[-1].hash
    assert "lost" not in world.stored()
    world.assert_whole()


def test_blocks_of_a_lost_epoch_do_not_come_back_though_nothing_was_archived_since() -> None:
    world = grown()
    archived = world.newest()
    lost = [world.run(put("lost", number)) for number in range(3)]
    world.lose()
    world.rebuild()
    world.archive.write(lost)
    world.lose()
    done = world.rebuild()
    assert (done.number, done.hash, done.epoch) == (archived.number, archived.hash, 2)
    world.assert_whole()


def test_an_executor_does_not_begin_a_lost_machine_anew() -> None:
    world = grown()
    world.lose()
    folded = world.archived_executor().fold(MACHINE, [world.message(put("x", 1))], deadline=1e9)
    assert isinstance(folded.error, Corrupted)
    assert "rebuild" in (folded.error.hint or "")
    assert world.head() == 0
    assert len(world.archived_executor().fold("new", [world.message()], deadline=1e9).blocks) == 1


def erased_under_a_warm_executor() -> tuple[World, Executor]:
    world = grown()
    world.dumper().set_count(MACHINE, 7)
    world.keep()
    executor = world.archived_executor()
    world.run(put("warm", 1), by=executor)
    world.keep()
    eraser = world.eraser()
    for erase in (eraser.erase_state, eraser.erase_blocks, eraser.erase_record):
        erase(MACHINE)
    return world, executor


def test_a_warm_executor_that_went_on_above_the_loss_loses_nothing() -> None:
    world, executor = erased_under_a_warm_executor()
    block = world.run(put("warm", 2), by=executor)  # it trusts its head for minutes
    assert [each.number for each in world.blocks()] == [14]
    record = world.machines.get(MACHINE)
    assert record is not None
    assert (record.flushed, record.revision) == (14, 0)
    plan = world.rebuilder().plan(MACHINE)
    assert (plan.number, plan.hash, plan.blocks, plan.begins) == (14, block.hash, 13, False)
    assert world.rebuild().ok
    record = world.machines.get(MACHINE)
    assert record is not None
    assert (record.revision, record.schedule.current.count) == (1, 7)
    assert world.stored()["warm"] == 2
    world.assert_whole()


def test_a_block_that_was_executed_on_lost_rows_is_told_and_can_be_undone() -> None:
    world, executor = erased_under_a_warm_executor()
    world.run(put("count", 99), by=executor)  # takes the key for absent
    done = world.rebuild()
    assert not done.ok
    assert done.found != done.digest == world.newest().header.digest
    assert not world.verify().ok
    world.restore(13)
    assert digest_of(sum_of(world.rows().items())) == world.newest().header.digest
    assert world.stored()["count"] == 10


def test_a_lost_state_table_is_filled_and_nothing_else_changes() -> None:
    world = grown()
    before = world.tables()
    world.table = World().table
    done = world.rebuild()
    assert (done.blocks, done.epoch) == (0, 0)
    assert done.rows == len(before["rows"][MACHINE])
    assert world.tables()["rows"][MACHINE] == before["rows"][MACHINE]
    assert world.tables()["records"] == before["records"]
    assert not world.archive.segments(MACHINE)[-1].epoch
    world.assert_whole()


def test_rows_of_blocks_that_are_lost_are_rolled_back() -> None:
    world = grown()
    before = world.tables()
    world.run(put("count", 99), put("lost", 1))
    world.log = World().log
    done = world.rebuild()
    assert done.erased == len(before["rows"][MACHINE]) + 1
    assert world.tables()["rows"][MACHINE] == before["rows"][MACHINE]
    assert world.tables()["blocks"][MACHINE] == before["blocks"][MACHINE]
    record = world.machines.get(MACHINE)
    assert record is not None
    assert (record.flushed, record.epoch) == (world.head(), 1)
    world.assert_whole()


def test_a_table_from_an_older_backup_is_brought_up() -> None:
    world = grown()
    before = world.tables()
    old = World()
    for block in world.log.read(MACHINE, 1, 6):
        old.log.append(block)
    world.lose()
    world.log = old.log
    done = world.rebuild()
    assert (done.blocks, done.epoch) == (world.head() - 6, 1)
    assert world.tables()["blocks"][MACHINE] == before["blocks"][MACHINE]
    world.assert_whole()


def test_settings_come_back() -> None:
    world = grown()
    world.dumper().set_count(MACHINE, 7)
    world.machines.set_retention(MACHINE, Retention(snapshots=2, days=3))
    world.keep()
    record = world.machines.get(MACHINE)
    assert record is not None
    world.lose()
    world.rebuild()
    found = world.machines.get(MACHINE)
    assert found is not None
    assert (found.schedule, found.retention, found.revision) == (
        record.schedule,
        record.retention,
        record.revision,
    )
    assert world.verify().ok


def test_settings_that_were_never_kept_are_those_of_new_machines_and_kept_from_now_on() -> None:
    world = World()
    world.grow(3)
    world.archive.write(world.blocks())
    world.lose()
    assert KeptSettings(world.objects).newest(MACHINE) is None
    world.rebuild()
    record, kept = world.machines.get(MACHINE), KeptSettings(world.objects).newest(MACHINE)
    assert record is not None
    assert kept is not None
    assert record.schedule == world.schedule == Schedule(kept.schedule)
    assert (record.revision, kept.revision) == (0, 0)


def test_only_the_blocks_that_are_kept_go_back() -> None:
    world = grown()
    world.machines.set_retention(MACHINE, Retention(blocks=3))
    world.keep()
    head, digest = world.head(), world.newest().header.digest
    world.lose()
    assert world.rebuild().blocks == 3
    assert [block.number for block in world.log.read(MACHINE, 1)] == [head - 2, head - 1, head]
    assert world.newest().header.digest == digest
    assert world.verify().ok
    assert world.state_at_archived(2) == {"count": 1, "key/0": {"n": 0, "text": "é" * 9}} | {
        "key/1": {"n": 1, "text": "é" * 9}
    }
    block = world.run(put("after", 1), by=world.archived_executor())
    assert block.number == head + 1


def test_rebuilding_what_is_whole_changes_nothing() -> None:
    world = grown()
    before = world.contents()
    done = world.rebuild()
    assert done == Rebuilt(
        machine=MACHINE,
        number=world.head(),
        hash=world.newest().hash,
        digest=world.newest().header.digest,
        epoch=0,
        blocks=0,
        rows=0,
        erased=0,
        found=world.newest().header.digest,
    )
    assert world.contents() == before


def test_what_cannot_be_rebuilt_is_told() -> None:
    world = grown()
    with pytest.raises(NotFound, match="nothing is archived of machine 'nobody'"):
        world.rebuilder().plan("nobody")
    rebuilder = world.rebuilder()
    plan = rebuilder.plan(MACHINE)
    world.run(put("more", 1))
    with pytest.raises(Refused, match="has changed since the rebuild was planned"):
        rebuilder.carry_out(plan)


def test_a_hole_in_the_archive_is_told_and_filled_from_the_table() -> None:
    world = World()
    world.grow(9)
    blocks = world.blocks()
    world.archive.write(blocks[:3])
    world.archive.write(blocks[5:])
    assert world.rebuild().number == 9
    world.lose()
    with pytest.raises(Corrupted, match="lacks blocks 4 to 5"):
        world.rebuilder().plan(MACHINE)
    assert world.head() == 0


def test_a_machine_that_was_begun_anew_is_told() -> None:
    world = grown()
    world.lose()
    world.run(put("anew", 1))
    with pytest.raises(Corrupted, match="another than the archived"):
        world.rebuilder().plan(MACHINE)
    assert world.stored() == {"anew": 1}


STEPS = Faults()
_WORLD = grown()
_WORLD.lose()
_REBUILDER = _WORLD.rebuilder(STEPS)
_REBUILDER.carry_out(_REBUILDER.plan(MACHINE))
_WORLD.dumper().make_due(MACHINE, 99, deadline=1e9)
WHOLE, BUCKET = _WORLD.tables(), _WORLD.bucket()
anywhere = at_each(
    ("position", "moment"),
    [(position, moment) for position in range(len(STEPS.steps)) for moment in MOMENTS],
)


@anywhere
def test_killed_anywhere_and_run_again(position: int, moment: Moment) -> None:
    world = grown()
    world.lose()
    rebuilder = world.rebuilder(Faults(at=[position], moment=moment))
    with pytest.raises(Killed):
        rebuilder.carry_out(rebuilder.plan(MACHINE))
    # Whoever lets actions in too early changes nothing.
    folded = world.archived_executor().fold(MACHINE, [], deadline=1e9)
    assert not folded.blocks
    world.rebuild()
    assert world.tables() == WHOLE
    assert not {key: data for key, data in world.bucket().items() if BUCKET.get(key) != data}
    world.assert_whole()


@given(st.data())
def test_any_history_comes_back(data: st.DataObject) -> None:
    world = World(schedule=Schedule.new(data.draw(st.sampled_from([None, 1, 2, 5]))))
    for _ in range(data.draw(st.integers(1, 4))):
        world.grow(data.draw(st.integers(1, 5)))
        if data.draw(st.booleans()):
            world.restore(data.draw(st.integers(1, world.head())))
    world.keep()
    before = world.tables()
    world.lose()
    world.rebuild()
    assert world.tables() == before
    world.assert_whole()
    for number in data.draw(st.lists(st.integers(1, world.head()), max_size=3)):
        assert world.state_at(number) == world.state_at_archived(number)


def test_a_record_says_the_epoch() -> None:
    world = grown()
    world.lose()
    world.rebuild()
    record = world.machines.get(MACHINE)
    assert record is not None
    assert record == replace(
        MachineRecord(MACHINE),
        epoch=1,
        flushed=12,
        dumped=12,
        archived=12,
        schedule=world.schedule,
    )
