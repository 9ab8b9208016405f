"""What every `Eraser` must do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from blockfold.domain.canonical import encode
from blockfold.ports import BlockLog, Eraser, Machines, StateTable, Write
from tests.contracts.samples import chain, new_machine, noise


@dataclass(frozen=True)
class Erasable:
    """An eraser, and the stores that it erases."""

    eraser: Eraser
    log: BlockLog
    table: StateTable
    machines: Machines


class EraserContract:
    """Blocks and records. Subclasses give the fixture ``stores``."""

    def test_what_is_not_there_is_no_error(self, stores: Erasable) -> None:
        machine = new_machine()
        assert stores.eraser.erase_state(machine) == 0
        assert stores.eraser.erase_blocks(machine) == 0
        stores.eraser.erase_record(machine)
        assert stores.machines.get(machine) is None

    @pytest.mark.parametrize("count", [1, 30])
    def test_all_blocks_of_one_machine_go(self, stores: Erasable, count: int) -> None:
        machine, other = new_machine(), new_machine()
        for each in (machine, other):
            for block in chain(each, count):
                stores.log.append(block)
        assert stores.eraser.erase_blocks(machine) == count
        assert stores.log.head(machine) is None
        assert list(stores.log.read(machine, 1)) == []
        assert len(list(stores.log.read(other, 1))) == count
        (first, *_) = chain(machine, 1)
        stores.log.append(first)
        assert stores.log.head(machine) is not None

    def test_a_record_goes(self, stores: Erasable) -> None:
        machine, other = new_machine(), new_machine()
        for each in (machine, other):
            stores.machines.register(each)
            stores.machines.raise_watermark(each, "flushed", 4)
        stores.eraser.erase_record(machine)
        assert stores.machines.get(machine) is None
        left = stores.machines.get(other)
        assert left is not None
        assert left.flushed == 4
        assert stores.machines.register(machine).flushed == 0


class RowsContract(EraserContract):
    """Rows as well."""

    @pytest.mark.parametrize("count", [1, 25, 60])
    def test_all_rows_of_one_machine_go(self, stores: Erasable, count: int) -> None:
        machine, other = new_machine(), new_machine()
        values = [encode(number) if number % 3 else None for number in range(count)]
        writes = [Write(f"key/{number}", value, 7) for number, value in enumerate(values)]
        for each in (machine, other):
            stores.table.write(each, writes)
        assert stores.eraser.erase_state(machine) == count
        assert list(stores.table.scan(machine)) == []
        assert len(list(stores.table.scan(other))) == count
        assert stores.eraser.erase_state(machine) == 0

    def test_rows_of_many_pages_go(self, stores: Erasable) -> None:
        machine = new_machine()
        large = [Write(f"{number:03d}", encode(noise(30_000, number)), 1) for number in range(60)]
        stores.table.write(machine, large)
        assert stores.eraser.erase_state(machine) == 60
        assert list(stores.table.scan(machine)) == []

    def test_erased_keys_take_older_blocks_again(self, stores: Erasable) -> None:
        machine = new_machine()
        stores.table.write(machine, [Write("k", encode("new"), 9), Write("gone", None, 9)])
        stores.eraser.erase_state(machine)
        stores.table.write(machine, [Write("k", encode("old"), 2), Write("gone", encode(1), 3)])
        rows = [(row.key, row.value, row.block) for row in stores.table.scan(machine)]
        assert rows == [("gone", b"1", 3), ("k", b'"old"', 2)]

    def test_rows_and_blocks_go_apart(self, stores: Erasable) -> None:
        machine = new_machine()
        (block,) = chain(machine, 1)
        stores.log.append(block)
        stores.table.write(machine, [Write("k", encode(1), 1)])
        assert stores.eraser.erase_blocks(machine) == 1
        assert [row.key for row in stores.table.scan(machine)] == ["k"]
        stores.log.append(block)
        assert stores.eraser.erase_state(machine) == 1
        assert stores.log.head(machine) is not None
