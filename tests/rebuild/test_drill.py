"""A drill measures what a loss would cost, finds what would fail, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.drill import BLOCK_SECONDS, ROWS_PER_SECOND, scratch_of
from blockfold.application.kept_settings import KeptSettings
from blockfold.domain.canonical import encode
from blockfold.domain.errors import NotFound
from blockfold.domain.keys import settings_prefix
from blockfold.domain.schedule import Schedule
from blockfold.ports import Row, StateTable, Write
from tests.faults import MOMENTS, Faults, Killed, Moment
from tests.points import at_each
from tests.properties.histories import MACHINE
from tests.rebuild.test_rebuild import grown
from tests.rebuild.world import World
from tests.snapshots.stack import HandClock, drop, put

SCRATCH = scratch_of(MACHINE)


@dataclass
class TickingClock(HandClock):
    """A second goes by whenever it is looked at."""

    ticks: int = 0

    def monotonic(self) -> float:
        self.ticks += 1
        return float(self.ticks)


def test_a_machine_that_is_archived_would_lose_nothing() -> None:
    world = grown()
    before = world.contents()
    seen: dict[str, int] = {}
    done = world.drill().run(MACHINE, progress=seen.__setitem__)
    head = world.newest()
    rows = len(list(world.table.scan(MACHINE)))
    assert (done.ok, done.findings, done.skipped) == (True, (), "")
    assert (done.number, done.digest) == (head.number, head.header.digest)
    assert (done.rpo_blocks, done.rpo_seconds) == (0, 0.0)
    assert (done.blocks, done.rows) == (head.number, rows)
    assert seen == {"read": head.number, "rows": rows}
    assert world.contents() == before
    assert list(world.table.scan(SCRATCH)) == []


def test_times_are_measured_and_blocks_that_would_go_back_are_counted() -> None:
    world = grown()
    world.clock = TickingClock(world.clock.milliseconds)
    done = world.drill().run(MACHINE)
    assert done.seconds > done.blocks  # one look at the clock for each of them
    assert done.rto_seconds == done.seconds + done.number * BLOCK_SECONDS
    assert done.rows_per_second == done.rows / done.seconds


def test_blocks_outside_the_archive_are_what_would_be_lost() -> None:
    world = grown()
    archived = world.newest()
    lost = [world.run(put("lost", number)) for number in range(3)]
    world.clock.milliseconds = lost[0].header.time + 60_000
    done = world.drill().run(MACHINE)
    assert (done.number, done.digest) == (archived.number, archived.header.digest)
    assert (done.rpo_blocks, done.rpo_seconds) == (3, 60.0)
    assert done.ok
    late = world.drill().run(MACHINE, rpo=59.9)
    assert not late.ok
    assert f"block {lost[0].number} is 60 s old and not archived" in late.findings
    assert late.rows == done.rows


def test_a_machine_that_was_never_archived() -> None:
    world = World()
    world.grow(2)
    world.clock.milliseconds += 901_000
    done = world.drill().run(MACHINE)
    assert (done.number, done.rpo_blocks, done.rows, done.rto_seconds) == (0, 2, 0, 0.0)
    assert done.findings == ("block 1 is 901 s old and not archived",)
    assert world.drill().run(MACHINE, rpo=1e9).ok
    with pytest.raises(NotFound, match="no machine 'nobody'"):
        world.drill().run("nobody")


def test_it_tells_when_the_tables_are_lost_and_still_says_what_there_is() -> None:
    world = grown()
    head = world.head()
    world.lose()
    done = world.drill().run(MACHINE)
    assert done.findings == (f"the Blocks table ends at block 0, the archive at block {head}",)
    assert done.rows > 0
    assert done.seconds == 0.0


def test_a_lost_table_from_an_older_backup_is_found() -> None:
    world = grown()
    head = world.head()
    old = World()
    for block in world.log.read(MACHINE, 1, 6):
        old.log.append(block)
    world.log = old.log
    findings = world.drill().run(MACHINE).findings
    assert findings == (f"the Blocks table ends at block 6, the archive at block {head}",)


def test_an_archive_of_another_history_is_found() -> None:
    world = grown()
    other = World()
    for number in range(30):
        other.run(put("other", number))
    world.log = other.log
    findings = world.drill().run(MACHINE).findings
    assert findings == ("the archive holds another block 12 than the Blocks table",)


def test_a_block_that_is_nowhere_is_found() -> None:
    world = grown()
    number = world.head() + 1
    world.run(put("gone", 1))
    world.run(put("newest", 1))
    world.log.expire(MACHINE, number, number, 0)
    world.log.pass_time(1)  # type: ignore[attr-defined]
    done = world.drill().run(MACHINE)
    assert done.findings == (f"block {number} is neither in the Blocks table nor in the archive",)
    assert done.rpo_blocks == 2


@pytest.mark.parametrize("what", ["archive", "snapshots", "runs", "pinned", "settings"])
@pytest.mark.parametrize("how", ["flipped", "deleted"])
def test_damage_in_the_bucket_is_found_and_nothing_stays(what: str, how: str) -> None:
    world = grown()
    keys = [each.key for each in world.objects.list(f"machines/{MACHINE}/{what}/")]
    for key in keys:
        data = bytearray(world.objects.get(key) or b"")
        data[len(data) // 2] ^= 0x40
        world.objects.replace(key, bytes(data)) if how == "flipped" else world.objects.delete([key])
    done = world.drill().run(MACHINE, rpo=-1e12)
    # A pinned manifest has a twin among the snapshots; without these, the log has all.
    harmless = what == "pinned" or (how == "deleted" and what in {"snapshots", "settings"})
    assert done.ok == harmless, done.findings
    assert list(world.table.scan(SCRATCH)) == []


def test_a_hole_in_the_archive_is_found() -> None:
    world = World()
    world.grow(9)
    blocks = world.blocks()
    world.archive.write(blocks[:3])
    world.archive.write(blocks[5:])
    (finding,) = world.drill().run(MACHINE).findings
    assert "lacks blocks 4 to 5" in finding


def test_settings_that_the_bucket_lacks_are_found() -> None:
    world = grown()
    world.dumper().set_count(MACHINE, 7)
    (finding,) = world.drill().run(MACHINE).findings
    assert finding == "the bucket lacks revision 1 of the machine's settings"
    record = world.machines.get(MACHINE)
    assert record is not None
    KeptSettings(world.objects).keep(record)
    assert world.drill().run(MACHINE).ok
    (key,) = [
        each.key
        for each in world.objects.list(settings_prefix(MACHINE))
        if each.key.endswith("1.json")
    ]
    world.objects.replace(key, b"{")
    assert "holds no settings" in world.drill().run(MACHINE).findings[0]


class _Changing:
    """A state table that gives back something else than it was given."""

    def __init__(self, table: StateTable, change: Callable[[Row], Row | None]) -> None:
        self._table = table
        self._change = change

    def write(self, machine: str, writes: list[Write]) -> None:
        self._table.write(machine, writes)

    def scan(self, machine: str, prefix: str = "") -> list[Row]:
        changed = [self._change(row) for row in self._table.scan(machine, prefix)]
        return [row for row in changed if row is not None]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda row: replace(row, value=encode(0)) if row.key == "count" else row, "digest"),
        (lambda row: None if row.key == "count" else row, "rows with"),
        (lambda row: None if row.value is None else row, "rows with"),
        (lambda row: replace(row, block=row.block + 1), "name another block"),
    ],
)
def test_rows_that_come_back_otherwise_are_found(
    change: Callable[[Row], Row | None], finding: str
) -> None:
    world = World()
    world.grow(3)
    world.run(drop("key/0"))
    world.keep()
    drill = replace(world.drill(), table=_Changing(world.table, change))  # type: ignore[arg-type]
    assert finding in " ".join(drill.run(MACHINE).findings)


def test_leftovers_of_a_killed_drill_are_deleted_first() -> None:
    world = grown()
    world.table.write(SCRATCH, [Write("left", encode(1), 99), Write("count", encode(-1), 99)])
    assert world.drill().run(MACHINE).ok
    assert list(world.table.scan(SCRATCH)) == []


def test_too_large_a_machine_is_skipped_and_measured_all_the_same() -> None:
    world = grown()
    world.run(put("lost", 1))
    keys = world.snapshots.open(f"machines/{MACHINE}/snapshots/000000000012.json").rows
    done = world.drill().run(MACHINE, deadline=(keys - 0.5) / ROWS_PER_SECOND)
    assert (
        done.skipped == f"{keys} rows take some 0 s and 0 s are left: run `blockfold drill` for it"
    )
    assert (done.rows, done.rto_seconds, done.rpo_blocks, done.ok) == (0, 0.0, 1, True)


def test_it_stops_when_time_is_over_and_cleans_up() -> None:
    world = grown()
    world.clock = TickingClock(world.clock.milliseconds)
    done = world.drill().run(MACHINE, deadline=9)
    assert (done.skipped, done.ok) == ("time ran out", True)
    assert list(world.table.scan(SCRATCH)) == []


STEPS = Faults()
grown().drill(STEPS).run(MACHINE)


@at_each(
    ("position", "moment"),
    [(position, moment) for position in range(len(STEPS.steps)) for moment in MOMENTS],
)
def test_killed_anywhere_it_harms_nothing_and_the_next_one_cleans_up(
    position: int, moment: Moment
) -> None:
    world = grown()
    before = world.contents()
    with pytest.raises(Killed):
        world.drill(Faults(at=[position], moment=moment)).run(MACHINE)
    assert world.contents() == before
    assert world.drill().run(MACHINE).ok
    assert list(world.table.scan(SCRATCH)) == []


@given(st.data())
def test_what_a_drill_promises_a_rebuild_keeps(data: st.DataObject) -> None:
    world = World(schedule=Schedule.new(data.draw(st.sampled_from([None, 1, 2, 5]))))
    for _ in range(data.draw(st.integers(1, 3))):
        world.grow(data.draw(st.integers(1, 4)))
        if data.draw(st.booleans()):
            world.restore(data.draw(st.integers(1, world.head())))
    world.keep()
    for _ in range(data.draw(st.integers(0, 3))):
        world.run(put("lost", world.pushed))
    drilled = world.drill().run(MACHINE)
    head = world.head()
    world.lose()
    rebuilt = world.rebuild()
    assert drilled.ok
    assert (drilled.number, drilled.digest) == (rebuilt.number, rebuilt.digest)
    assert drilled.rows == rebuilt.rows
    assert drilled.rpo_blocks == head - rebuilt.number
