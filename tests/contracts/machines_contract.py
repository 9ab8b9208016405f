"""What every register of machines must do."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from blockfold.domain.retention import KEEP_ALL, Retention, Thin
from blockfold.domain.schedule import OFF, Schedule, set_count
from blockfold.ports import MachineRecord, Machines, Watermark
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

    def test_a_retention_is_replaced_and_moves_nothing_else(self, machines: Machines) -> None:
        machine = new_machine()
        new = machines.register(machine, Schedule.new(25))
        assert new.retention == KEEP_ALL
        machines.raise_watermark(machine, "archived", 3)
        some = Retention(snapshots=3, thin=(Thin(3600, 86_400), Thin(86_400, 864_000)), days=7)
        for retention in (some, Retention(blocks=100), KEEP_ALL):
            machines.set_retention(machine, retention)
            assert machines.get(machine) == replace(new, archived=3, retention=retention)

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

    def test_a_machine_that_was_never_registered_can_be_flushed(self, machines: Machines) -> None:
        machine = new_machine()
        machines.raise_watermark(machine, "flushed", 5)
        assert machines.register(machine).flushed == 5

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
