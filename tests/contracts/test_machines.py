"""The contract of `Machines` in memory, in the emulator and in moto."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from blockfold.adapters.memory import MemoryMachines
from blockfold.bootstrap import Adapters
from blockfold.ports import Machines
from tests.contracts.machines_contract import MachinesContract
from tests.contracts.samples import new_machine


class Races:
    """For stores that many threads may use at once: moto is none."""

    def test_the_highest_of_many_wins(self, machines: Machines) -> None:
        machine = new_machine()
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(
                    lambda number: machines.raise_watermark(machine, "flushed", number), range(100)
                )
            )
        record = machines.get(machine)
        assert record is not None
        assert record.flushed == 99


class TestMemory(MachinesContract, Races):
    @pytest.fixture
    def machines(self) -> Machines:
        return MemoryMachines()


class TestMinistack(MachinesContract, Races):
    @pytest.fixture
    def machines(self, ministack: Adapters) -> Machines:
        return ministack.machines


class TestMoto(MachinesContract):
    @pytest.fixture
    def machines(self, moto: Adapters) -> Machines:
        return moto.machines
