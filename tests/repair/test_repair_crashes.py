"""A repair that is killed at any call, or runs beside others, is finished by the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.adapters.overlay import OverlayObjectStore
from blockfold.domain.errors import Unavailable
from blockfold.domain.keys import settings_key
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.properties.histories import MACHINE, NEVER
from tests.repair.world import World, rich

RICH = rich()
WRITES = {"objects.replace", "objects.put_new", "objects.delete"}


def first(text: str) -> str:
    return next(name for name in sorted(RICH.bytes()) if text in name)


DAMAGED = (
    first(f"m/archive/{1:012}-{6:012}"),
    first(f"m/log/{4:012}"),
    first(f"m/snapshots/{12:012}"),
    first(f"m/pinned/{2:012}"),
    first(f"m/retired/{4:012}"),
    RICH.snapshots.open(first(f"m/snapshots/{20:012}")).runs[0].key,
    settings_key(MACHINE, 2),
)


def damaged() -> World:
    world = RICH.copy()
    for name in DAMAGED:
        data = bytearray(world.bytes()[name])
        data[len(data) // 2] ^= 1
        world.objects._objects[name] = bytes(data)
    return world


def steps() -> list[str]:
    faults = Faults()
    damaged().repairer(faults).repair(MACHINE)
    return faults.steps


STEPS = steps()
CALLS = [number for number, name in enumerate(STEPS) if name in WRITES]
READS = [number for number, name in enumerate(STEPS) if name not in WRITES][:: len(STEPS) // 25]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("at", [*CALLS, *READS])
def test_killed_at_a_call_and_run_again(at: int, moment: Moment) -> None:
    world = damaged()
    with pytest.raises(Killed):
        world.repairer(Faults([at], moment)).repair(MACHINE)
    # What stands there now is as sound as before, or sounder: readers meanwhile lose nothing.
    assert {found.key for found in world.verify().found} <= {
        *DAMAGED,
        *(found.key for found in damaged().verify().found),
        "",
    }
    assert world.repair().lost == []
    assert world.verify().ok
    assert world.repair().healed == []


@pytest.mark.parametrize("at", CALLS)
def test_a_store_that_fails_is_told_and_nothing_is_called_lost(at: int) -> None:
    world = damaged()
    with pytest.raises(Unavailable):
        world.repairer(Faults([at], strike=fail)).repair(MACHINE)
    assert world.repair().lost == []
    assert world.verify().ok


def test_each_damaged_object_is_told() -> None:
    world = damaged()
    told = [healed.key for healed in world.repair().healed]
    assert set(DAMAGED) - {DAMAGED[4]} <= {*told}
    assert world.objects.get(DAMAGED[4]) is None
    assert len(told) == len(set(told))


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    world = damaged()
    before = world.bytes()
    for above in (MemoryObjectStore(world.clock.now), FolderObjectStore(tmp_path)):
        dry = world.repairer(objects=OverlayObjectStore(world.objects, above)).repair(MACHINE)
        assert world.bytes() == before
        assert dry == damaged().repair()


def test_two_repairs_leave_what_one_leaves() -> None:
    alone = damaged()
    alone.repair()
    world = damaged()
    one, other = world.repairer(), world.repairer()
    one.repair(MACHINE)
    assert other.repair(MACHINE).healed == []
    assert world.bytes() == alone.bytes()


def test_beside_a_dump_that_holds_the_damaged_snapshot() -> None:
    """A dump read the manifest before it was repaired; its sound runs stay named after that."""
    world = damaged()
    key = first(f"m/snapshots/{20:012}")
    held = world.snapshots.open(key)
    world.repair()
    mended = world.snapshots.open(key)
    sound = {run.key for run in held.runs} - set(DAMAGED)
    assert sound <= {run.key for run in mended.runs}
    world.dumper().dump(MACHINE, 22, deadline=NEVER)
    assert world.verify().ok
