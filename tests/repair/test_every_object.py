"""Whatever happens to any object of a rich bucket: it is named, refused, and healed.

What is not healed, because it stands nowhere else, is `NOWHERE_ELSE`. What may be deleted without
anybody's loss, and is therefore not missed, is `spare`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.history import History
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.errors import BlockfoldError, Corrupted
from blockfold.domain.keys import machine_of, manifest_key, settings_key
from blockfold.domain.schedule import Schedule
from blockfold.domain.segments import Segment, gaps
from tests.properties.histories import MACHINE, NEVER
from tests.repair.world import FORK, MACHINES, MOVED, World, rich
from tests.snapshots.stack import drop, put

RICH = rich()
NAMES = sorted(RICH.bytes())
KINDS = sorted({name.split("/")[2] for name in NAMES})
IMPORTED = {
    run.key for run in RICH.snapshots.open(next(n for n in NAMES if "moved/pinned" in n)).runs
}
NOWHERE_ELSE = IMPORTED
"""The state that an import brought: no block says what is in it."""

Damage = Callable[[World, str], None]


def delete(world: World, name: str) -> None:
    world.objects.delete([name])


def flip(world: World, name: str) -> None:
    data = bytearray(world.bytes()[name])
    data[len(data) // 2] ^= 1
    world.objects._objects[name] = bytes(data)


def truncate(world: World, name: str) -> None:
    world.objects._objects[name] = world.bytes()[name][: len(world.bytes()[name]) // 2]


def empty(world: World, name: str) -> None:
    world.objects._objects[name] = b""


DAMAGES: tuple[Damage, ...] = (delete, flip, truncate, empty)


def owner(name: str) -> str:
    return machine_of(name.split("/")[1])


def spare(name: str) -> bool:
    """Whether an object may be deleted and nobody loses anything."""
    machine, folder = owner(name), name.split("/")[2]
    if folder == "retired":
        return True
    record = RICH.machines.get(machine)
    assert record is not None
    if folder == "settings":
        return name != settings_key(machine, record.revision)
    if folder == "archive":
        others = [each for each in RICH.archive.segments(machine) if each.key != name]
        return not any(gaps(others, 1, record.archived))
    if folder == "snapshots":  # made by hand, not because it was due
        return not record.schedule.due(int(name[-17:-5]))
    if folder == "runs":
        return name not in {
            run.key
            for each in MACHINES
            for key in RICH.snapshots.roots(each)
            for run in RICH.snapshots.open(key).runs
        }
    return False


def findings(world: World) -> dict[str, set[str]]:
    return {each: {found.key for found in world.verify(each).found} for each in MACHINES}


def assert_reads_are_right_or_refused(world: World) -> None:
    for machine in MACHINES:
        history = History(world.whole, world.snapshots)
        for number in range(1, max(world.items[machine]) + 1):
            try:
                replica = history.at(machine, number)
            except BlockfoldError:
                continue
            original = RICH.log.get(machine, number)
            assert original is not None
            assert digest_of(sum_of(replica.entries.items())) == original.header.digest


def repair_all(world: World) -> dict[str, list[str]]:
    """Repair all machines, the owner of what others name first; what each says is lost."""
    return {each: [lost.key for lost in world.repair(each).lost] for each in MACHINES}


def assert_healed(world: World) -> None:
    for machine in MACHINES:
        verification = world.verify(machine)
        assert verification.ok, [str(found) for found in verification.found]
    assert all(not world.repair(machine).healed for machine in MACHINES)


def test_the_bucket_is_rich_and_whole() -> None:
    assert KINDS == ["archive", "log", "pinned", "retired", "runs", "settings", "snapshots"]
    before = RICH.bytes()
    for machine in MACHINES:
        assert RICH.verify(machine).ok
        done = RICH.repair(machine)
        assert done.healed == done.lost == []
    assert RICH.bytes() == before
    generations = [len(RICH.snapshots.open(n).generations) for n in NAMES if "/snapshots/" in n]
    assert max(generations) > 1
    parents = {
        run.key for run in RICH.snapshots.open(f"machines/{FORK}/snapshots/{4:012}.json").runs
    }
    assert any(name.startswith("machines/m/runs/") for name in parents)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[9:50])
def test_a_damaged_object_is_named_refused_and_healed(name: str, damage: Damage) -> None:
    world = RICH.copy()
    damage(world, name)
    found = findings(world)
    if damage is delete and spare(name):
        assert not any(found.values())
    elif damage is delete and "/pinned/" in name:  # only who names it knows that it was there
        assert name in set().union(*found.values())
    else:
        assert name in found[owner(name)] or (damage is delete and _is_told(world, name))
    assert_reads_are_right_or_refused(world)
    lost = repair_all(world)
    if name in NOWHERE_ELSE:
        assert name in lost[MOVED] or lost[MOVED]
        assert not lost["m"]
        assert not lost[FORK]
        return
    assert not any(lost.values()), lost
    assert_healed(world)


def _is_told(world: World, name: str) -> bool:
    """A segment or body that is gone has no key to be listed: its blocks are named."""
    machine = owner(name)
    segment = Segment.named(machine, name)
    told = " ".join(str(found) for found in world.verify(machine).found)
    if segment is not None:
        return f"blocks {segment.first} to {segment.last}" in told
    return name in told


@given(st.data())
def test_any_flipped_byte_is_named_or_harmless(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    world = RICH.copy()
    changed = bytearray(world.bytes()[name])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    world.objects._objects[name] = bytes(changed)
    machine = owner(name)
    if name in {found.key for found in world.verify(machine).found}:
        return
    # Bits of a zstd frame that say nothing, or values in a copy of older settings.
    folder = name.split("/")[2]
    assert folder in {"archive", "log", "settings"}
    if folder == "settings":
        record = world.machines.get(machine)
        assert record is not None
        decoded_alike = name == settings_key(machine, record.revision)
        assert not decoded_alike or world.repair(machine).lost == []
        return
    for block in world.whole.read(machine, 1):
        original = RICH.log.get(machine, block.number)
        assert original is not None
        assert block.hash == original.hash


PAIRS = [
    (one, other)
    for one, other in pairwise(NAMES)
    if one.split("/")[:3] == other.split("/")[:3] and not {one, other} & IMPORTED
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda name: name[9:40])
def test_swapped_objects_are_named_and_healed(one: str, other: str) -> None:
    world = RICH.copy()
    objects = world.objects._objects
    objects[one], objects[other] = objects[other], objects[one]
    found = findings(world)[owner(one)]
    for name in (one, other):
        # Retired copies are alike but for their number; what stands there is of another block.
        assert name in found
    assert_reads_are_right_or_refused(world)
    assert not any(repair_all(world).values())
    assert_healed(world)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_folder_is_healed(kind: str) -> None:
    """All objects of a kind at once."""
    world = RICH.copy()
    names = [name for name in NAMES if name.startswith(f"machines/m/{kind}/")]
    for name in names:
        truncate(world, name)
    assert set(names) <= findings(world)["m"]
    assert not any(repair_all(world).values())
    assert_healed(world)


def test_an_object_of_no_known_name_is_named_and_left() -> None:
    world = RICH.copy()
    names = [
        "machines/m/other",
        "machines/m/runs/x.jsonl.zst",
        "machines/m/archive/1.zst",
        "machines/m/snapshots/latest.json",
        "machines/m/snapshots/000000000004-1.json",
        "machines/m/log/x",
    ]
    for name in names:
        world.objects.put_new(name, b"?")
    assert set(names) <= findings(world)["m"]
    done = world.repair("m")
    assert {lost.key for lost in done.lost} >= set(names)
    assert all(world.objects.get(name) == b"?" for name in names)


def test_without_the_table_overlapping_segments_heal_each_other() -> None:
    world = RICH.copy()
    world.without("m", range(1, 7))
    name = next(n for n in NAMES if n.startswith(f"machines/m/archive/{1:012}-{6:012}"))
    flip(world, name)
    assert name in findings(world)["m"]
    done = world.repair("m")
    assert [healed.key for healed in done.healed] == [name]
    assert done.lost == []
    assert world.verify("m").ok


def test_what_neither_table_nor_archive_has_is_lost_by_name() -> None:
    world = RICH.copy()
    world.without("m", range(7, 21))
    name = next(n for n in NAMES if n.startswith(f"machines/m/archive/{7:012}"))
    flip(world, name)
    snapshot = "machines/m/snapshots/000000000016.json"
    truncate(world, snapshot)
    done = world.repair("m")
    assert {name, snapshot} <= {lost.key for lost in done.lost}
    assert all(lost.advice for lost in done.lost)
    with pytest.raises(Corrupted):
        list(world.whole.read("m", 1))


@pytest.mark.parametrize(
    "name",
    [n for n in NAMES if n.startswith("machines/m/runs/")],
    ids=lambda name: name[9:40],
)
def test_sound_runs_stay_named_where_one_is_damaged(name: str) -> None:
    """Forks use them, and nothing but this machine's manifests keeps them."""
    world = RICH.copy()
    before = {
        key: {run.key for run in world.snapshots.open(key).runs}
        for key in NAMES
        if key.startswith(("machines/m/snapshots/", "machines/m/pinned/"))
    }
    flip(world, name)
    world.repair("m")
    for key, runs in before.items():
        assert runs - {name} <= {run.key for run in world.snapshots.open(key).runs}


@pytest.mark.parametrize("older", [True, False])
def test_what_was_deleted_stays_deleted_in_a_mended_snapshot(older: bool) -> None:
    """Whether the damaged run held the deletion or what was deleted."""
    world = World(schedule=Schedule.new(2), part=10**6)
    world.run(*(put(f"k/{number:03}", number) for number in range(60)))
    world.run(put("z", 1))
    world.dumper().make_due(MACHINE, 2, deadline=NEVER)
    world.run(drop("k/007"), drop("k/008"))
    world.run(put("k/005", "new"))
    world.dumper().make_due(MACHINE, 4, deadline=NEVER)
    key = manifest_key(MACHINE, 4)
    runs = world.snapshots.open(key).runs
    assert [run.generation for run in runs] == [0, 1]
    right = world.entries(4)
    delete(world, runs[0 if older else 1].key)
    assert world.repair().lost == []
    assert world.entries(4) == right == world.state_at(4)
    assert "k/007" not in right
    again = world.snapshots.open(key).runs
    assert runs[1 if older else 0] in again
    manifest = world.snapshots.open(key)
    assert world.snapshots.value(manifest, "k/007") is None
    assert world.snapshots.value(manifest, "k/005") == b'"new"'
    assert world.verify().ok
