"""Stop shipping or compacting before or after any step; then run again (law 8)."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from blockfold import Block
from blockfold.application import compact as compaction
from blockfold.domain.errors import Unavailable
from blockfold.domain.segments import cover
from tests.archive.shelves import Shelves, chain_of, hashes
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER

CHAIN = chain_of(18, size=300)
OTHER = chain_of(4, machine="other")
PART = 8_000
FULL = 5_000


@pytest.fixture(autouse=True)
def _small() -> object:
    with patch.object(compaction, "FULL_BYTES", FULL):
        yield


def committed() -> Shelves:
    shelves = Shelves(part=PART)
    shelves.commit([*CHAIN, *OTHER])
    return shelves


def shipped() -> Shelves:
    """A gap, an overlap, a damaged segment, and blocks at the top that were never shipped."""
    shelves = committed()
    shelves.ship(CHAIN[:3], CHAIN[2:6], CHAIN[8:10], [CHAIN[10]], [CHAIN[11]], OTHER[:2])
    (damaged,) = [each for each in shelves.segments() if (each.first, each.last) == (3, 6)]
    shelves.objects.replace(damaged.key, b"damaged")
    shelves.wait()
    return shelves


def contents(shelves: Shelves) -> object:
    """How far all is certified, and what the archive by itself holds for readers.

    Where segments are cut depends on where the work was interrupted.
    """
    archived = {each.machine: each.archived for each in shelves.machines.list()}
    blocks = {name: hashes(_in_archive(shelves, name)) for name in archived}
    for name, found in blocks.items():
        assert len(shelves.path(name)) <= 1 + len(found) / 3, "they were merged"
    return archived, blocks


def _in_archive(shelves: Shelves, machine: str) -> list[Block]:
    archive = shelves.archive()
    return [
        block
        for piece in cover(archive.segments(machine), 1)
        for block in archive.read(piece.segment)
        if piece.first <= block.number <= piece.last
    ]


def steps_of_ship() -> list[str]:
    faults = Faults()
    committed().shipper(faults).ship([*CHAIN, *OTHER])
    return faults.steps


def steps_of_compact() -> list[str]:
    faults = Faults()
    with patch.object(compaction, "FULL_BYTES", FULL):
        shipped().compactor(faults).sweep(deadline=NEVER)
    return faults.steps


SHIP = [(at, moment) for at in range(len(steps_of_ship())) for moment in MOMENTS]
COMPACT = [
    pytest.param(at, moment, id=f"{at}-{name}-{moment}")
    for at, name in enumerate(steps_of_compact())
    for moment in MOMENTS
]


def test_the_rehearsal_takes_every_kind_of_step() -> None:
    assert set(steps_of_compact()) >= {
        "machines.list",
        "machines.get",
        "machines.raise_watermark",
        "log.head",
        "log.get",
        "log.read",
        "log.read.next",
        "objects.list",
        "objects.get",
        "objects.put_new",
        "objects.replace",
    }
    assert len(SHIP) > 8


@at_each(("position", "moment"), SHIP)
def test_shipping_killed_anywhere_then_delivered_again(position: int, moment: Moment) -> None:
    done = committed()
    done.ship([*CHAIN, *OTHER])
    shelves = committed()
    with pytest.raises(Killed):
        shelves.shipper(Faults({position}, moment)).ship([*CHAIN, *OTHER])
    shelves.ship([*CHAIN, *OTHER])
    assert contents(shelves) == contents(done)
    assert shelves.segments() == done.segments()


@at_each(("position", "moment"), SHIP)
def test_shipping_that_fails_says_what_was_not_shipped(position: int, moment: Moment) -> None:
    shelves = committed()
    shipment = shelves.shipper(Faults({position}, moment, fail)).ship([*CHAIN, *OTHER])
    failed = [block for block, _ in shipment.failed]
    assert {block.machine for block in failed} in ({"m"}, {"other"})
    assert all(isinstance(error, Unavailable) for _, error in shipment.failed)
    shelves.ship(failed)
    for machine, chain in ((MACHINE, CHAIN), ("other", OTHER)):
        listing = shelves.segments(machine)
        held = {number for each in listing for number in range(each.first, each.last + 1)}
        assert held == {block.number for block in chain}


@at_each(("position", "moment"), COMPACT)
def test_compaction_killed_anywhere_then_run_again(position: int, moment: Moment) -> None:
    done = shipped()
    done.compactor().sweep(deadline=NEVER)
    shelves = shipped()
    with pytest.raises(Killed):
        shelves.compactor(Faults({position}, moment)).sweep(deadline=NEVER)
    for machine, chain in ((MACHINE, CHAIN), ("other", OTHER)):
        shelves.prune(machine)
        assert shelves.hashes(machine=machine) == hashes(chain), "law 7 holds at any moment"
    shelves.wait()
    shelves.compactor().sweep(deadline=NEVER)
    assert contents(shelves) == contents(done)


@at_each(("position", "moment"), COMPACT)
def test_a_service_fails_anywhere(position: int, moment: Moment) -> None:
    done = shipped()
    done.compactor().sweep(deadline=NEVER)
    shelves = shipped()
    try:
        sweep = shelves.compactor(Faults({position}, moment, fail)).sweep(deadline=NEVER)
        assert [type(error) for error in sweep.failed] == [Unavailable]
    except Unavailable:
        assert steps_of_compact()[position].startswith("machines.list")
    shelves.wait()
    shelves.compactor().sweep(deadline=NEVER)
    assert contents(shelves) == contents(done)
