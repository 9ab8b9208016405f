"""What every register of machines must do."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from blockfold.domain.policy import Policy
from blockfold.domain.retention import KEEP_ALL, Retention, Thin
from blockfold.domain.schedule import OFF, Schedule, set_count, set_policy
from blockfold.domain.spans import FIRST, LAST
from blockfold.ports import MachineRecord, Machines, Restoring, Watermark
from tests.contracts.samples import new_machine


class MachinesContract:
    """Subclasses give the fixture ``machines``."""

    def test_an_unknown_machine_has_no_record(self, machines: Machines) -> None:
        assert machines.get(new_machine()) is None

    def test_registering_is_idempotent(self, machines: Machines) -> None:
        machine = new_machine()
        new = MachineRecord(machine, flushed=0, schedule=OFF)
        assert machines.register(machine) == new
        assert machines.register(machine) == new
        assert machines.get(machine) == new

    def test_registering_again_keeps_what_is_stored(self, machines: Machines) -> None:
        machine = new_machine()
        machines.register(machine)
        machines.raise_watermark(machine, "flushed", 7)
        assert machines.register(machine).flushed == 7
        record = machines.get(machine)
        assert record is not None
        assert record.flushed == 7

    def test_many_records_are_those_of_one_after_the_other(self, machines: Machines) -> None:
        known = [new_machine() for _ in range(130)]
        for number, machine in enumerate(known):
            machines.register(machine, Schedule.new(number + 1))
        machines.raise_watermark(known[7], "archived", 3)
        asked = [new_machine(), *known[::-1], known[0], new_machine()]
        found = machines.get_many(asked)
        assert found == {machine: machines.get(machine) for machine in known}
        assert found[known[7]].archived == 3
        assert machines.get_many([]) == {}

    @pytest.mark.parametrize("name", get_args(Watermark))
    def test_a_watermark_only_rises_and_moves_no_other(
        self, machines: Machines, name: Watermark
    ) -> None:
        machine = new_machine()
        new = machines.register(machine)
        seen = []
        for number in (3, 2, 3, 9, 10, 9, 1, 100, 99):
            machines.raise_watermark(machine, name, number)
            record = machines.get(machine)
            assert record is not None
            seen.append(getattr(record, name))
        assert seen == [3, 3, 3, 9, 10, 10, 10, 100, 100]
        assert record == replace(new, **{name: 100})

    def test_a_retention_is_replaced_and_moves_only_the_revision(self, machines: Machines) -> None:
        machine = new_machine()
        new = machines.register(machine, Schedule.new(25))
        assert new.retention == KEEP_ALL
        machines.raise_watermark(machine, "archived", 3)
        some = Retention(snapshots=3, thin=(Thin(3600, 86_400), Thin(86_400, 864_000)), days=7)
        for count, retention in enumerate((some, Retention(blocks=100), KEEP_ALL), 1):
            machines.set_retention(machine, retention)
            wanted = replace(new, archived=3, retention=retention, revision=count)
            assert machines.get(machine) == wanted

    def test_the_place_in_a_restore_only_rises(self, machines: Machines) -> None:
        machine = new_machine()
        new = machines.register(machine)
        machines.raise_watermark(machine, "flushed", 8)
        for end in ("b", "a", "c", "b", "é", "z"):
            machines.note_restored(machine, 9, FIRST, end)
        machines.note_restored(machine, 9, "n", "q/1")
        machines.note_restored(machine, 9, ">", "?")
        machines.note_restored(machine, 9, "n", "o")
        spans = ((FIRST, "é"), (">", "?"), ("n", "q/1"))
        assert machines.get(machine) == replace(new, flushed=8, restoring=Restoring(9, spans))
        listed = [record for record in machines.list() if record.machine == machine]
        assert listed == [machines.get(machine)]

    @pytest.mark.parametrize("number", [1, 2, 7, 9, 100])
    def test_only_the_first_block_that_is_not_flushed_has_a_place(
        self, machines: Machines, number: int
    ) -> None:
        machine = new_machine()
        machines.register(machine)
        machines.raise_watermark(machine, "flushed", 7)
        before = machines.get(machine)
        machines.note_restored(machine, number, FIRST, "k")
        assert machines.get(machine) == before

    @pytest.mark.parametrize("registered", [False, True])
    def test_the_first_block_of_a_fork_has_a_place(
        self, machines: Machines, registered: bool
    ) -> None:
        machine = new_machine()
        if registered:
            machines.register(machine)
        machines.note_restored(machine, 1, FIRST, "k")
        machines.note_restored(machine, 1, FIRST, LAST)
        record = machines.get(machine)
        assert record is not None
        assert record.restoring == Restoring(1, ((FIRST, LAST),))

    def test_raising_flushed_drops_the_place_in_the_restore_before(
        self, machines: Machines
    ) -> None:
        """A note may come late, or a lost table be filled again: it must not be believed then."""
        machine = new_machine()
        machines.register(machine)
        machines.raise_watermark(machine, "flushed", 8)
        machines.note_restored(machine, 9, FIRST, "k")
        machines.raise_watermark(machine, "archived", 9)
        machines.raise_watermark(machine, "flushed", 8)
        machines.raise_watermark(machine, "flushed", 3)
        record = machines.get(machine)
        assert record is not None
        assert record.restoring == Restoring(9, ((FIRST, "k"),))
        machines.raise_watermark(machine, "flushed", 9)
        machines.note_restored(machine, 9, FIRST, "l")
        assert machines.get(machine) == replace(record, flushed=9, restoring=None)

    def test_flushed_and_dumped_are_apart(self, machines: Machines) -> None:
        machine = new_machine()
        machines.register(machine)
        machines.raise_watermark(machine, "flushed", 9)
        machines.raise_dumped(MachineRecord(machine), 4)
        machines.raise_dumped(MachineRecord(machine), 3)
        record = machines.get(machine)
        assert record is not None
        assert (record.flushed, record.dumped) == (9, 4)

    def test_a_new_machine_starts_with_the_schedule_given_an_old_one_keeps_its_own(
        self, machines: Machines
    ) -> None:
        machine = new_machine()
        assert machines.register(machine, Schedule.new(25)).schedule == Schedule.new(25)
        assert machines.register(machine, Schedule.new(7)).schedule == Schedule.new(25)
        record = machines.get(machine)
        assert record is not None
        assert record.schedule == Schedule.new(25)

    def test_a_schedule_is_replaced_only_by_who_read_the_newest(self, machines: Machines) -> None:
        machine = new_machine()
        read = machines.register(machine, Schedule.new(25))
        machines.raise_watermark(machine, "flushed", 3)
        assert machines.set_schedule(read, Schedule.new(7))
        assert not machines.set_schedule(read, Schedule.new(8))
        found = machines.get(machine)
        assert found is not None
        assert (found.schedule, found.flushed) == (Schedule.new(7), 3)
        assert machines.set_schedule(found, OFF)
        assert machines.register(machine).schedule == OFF

    def test_a_long_history_of_settings_comes_back(self, machines: Machines) -> None:
        schedule = Schedule.new(None)
        for head in range(0, 400, 2):
            schedule = set_count(schedule, head, None if head % 3 else 10**9 - head).schedule
        assert len(schedule.settings) > 100
        record = machines.register(new_machine())
        assert machines.set_schedule(record, schedule)
        assert machines.get(record.machine) == replace(record, schedule=schedule, revision=1)

    def test_dumped_only_rises(self, machines: Machines) -> None:
        record = machines.register(new_machine(), Schedule.new(2))
        seen = []
        for number in (3, 2, 3, 9, 10, 9, 1, 100, 99):
            machines.raise_dumped(record, number)
            found = machines.get(record.machine)
            assert found is not None
            seen.append(found.dumped)
        assert seen == [3, 3, 3, 9, 10, 10, 10, 100, 100]
        assert found == replace(record, dumped=100)

    def test_dumped_is_not_raised_by_an_old_schedule(self, machines: Machines) -> None:
        old = machines.register(new_machine(), Schedule.new(2))
        machines.raise_dumped(old, 4)
        read = machines.get(old.machine)
        assert read is not None
        assert machines.set_schedule(read, Schedule.new(3))
        machines.raise_dumped(old, 8)
        machines.raise_dumped(read, 8)
        new = machines.get(old.machine)
        assert new == replace(old, dumped=4, schedule=Schedule.new(3), revision=1)
        machines.raise_dumped(new, 6)
        assert machines.get(old.machine) == replace(new, dumped=6)

    def test_a_schedule_is_not_replaced_once_more_was_dumped(self, machines: Machines) -> None:
        """The setting could hold from a block that was passed over already."""
        old = machines.register(new_machine(), Schedule.new(2))
        machines.raise_dumped(old, 4)
        assert not machines.set_schedule(old, Schedule.new(3))
        machines.raise_watermark(old.machine, "flushed", 9)
        read = machines.get(old.machine)
        assert read == replace(old, flushed=9, dumped=4)
        assert machines.set_schedule(read, Schedule.new(3))

    def test_a_machine_that_was_never_registered_can_be_set_and_dumped(
        self, machines: Machines
    ) -> None:
        """Its item may be lost: whoever flushes next makes it again, without a schedule."""
        for first in ("raise_watermark", "raise_dumped", "set_schedule"):
            machine = new_machine()
            machines.raise_watermark(machine, "flushed", 5)
            record = machines.get(machine)
            assert record == MachineRecord(machine, flushed=5)
            if first == "raise_dumped":
                machines.raise_dumped(record, 4)
                record = replace(record, dumped=4)
            assert machines.set_schedule(record, Schedule.new(3))
            assert not machines.set_schedule(record, Schedule.new(4))
            assert machines.get(machine) == replace(record, schedule=Schedule.new(3), revision=1)

    def test_the_newest_snapshot_is_noted_with_its_time(self, machines: Machines) -> None:
        record = machines.register(new_machine(), Schedule.new(2))
        seen = []
        for number, time in ((3, 50), (2, 70), (3, 80), (9, 40), (10, 10**13), (9, 10**14)):
            machines.note_snapshot(record.machine, number, time)
            found = machines.get(record.machine)
            assert found is not None
            seen.append((found.newest, found.noted))
        assert seen == [(3, 50), (3, 50), (3, 50), (9, 40), (10, 10**13), (10, 10**13)]
        assert found == replace(record, newest=10, noted=10**13)

    def test_a_snapshot_of_a_machine_that_is_gone_is_not_noted(self, machines: Machines) -> None:
        machine = new_machine()
        machines.note_snapshot(machine, 3, 50)
        assert machines.get(machine) is None

    def test_a_policy_comes_back(self, machines: Machines) -> None:
        policy = Policy(quiet=30, quiet_most=900, minutes=60, bytes=10**15)
        schedule = set_policy(Schedule.new(5, policy), 7, {"quiet": 1, "bytes": None}).schedule
        record = machines.register(new_machine(), schedule)
        assert record.schedule == schedule
        assert machines.get(record.machine) == record

    def test_a_machine_that_was_never_registered_can_be_flushed(self, machines: Machines) -> None:
        machine = new_machine()
        machines.raise_watermark(machine, "flushed", 5)
        assert machines.register(machine).flushed == 5

    def test_a_record_is_stored_as_it_is(self, machines: Machines) -> None:
        machine = new_machine()
        full = MachineRecord(
            machine,
            epoch=2,
            flushed=9,
            dumped=8,
            archived=7,
            verified=6,
            pruned=5,
            thinned=4,
            newest=3,
            noted=2,
            schedule=Schedule.new(25),
            retention=Retention(days=3),
            revision=1,
        )
        for record in (full, MachineRecord(machine), full):
            machines.put(record)
            assert machines.get(machine) == record
        assert machines.register(machine, Schedule.new(7)) == full

    def test_all_machines_are_listed_once(self, machines: Machines) -> None:
        names = sorted(new_machine() for _ in range(30))
        for number, name in enumerate(names):
            machines.register(name)
            machines.raise_watermark(name, "flushed", number)
            machines.register(name)
        listed = [record for record in machines.list() if record.machine in names]
        assert sorted(record.machine for record in listed) == names
        assert {record.machine: record.flushed for record in listed} == {
            name: number for number, name in enumerate(names)
        }
