"""Snapshots that cost what changed: generations, merges, and reads that touch few runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.domain import levels
from blockfold.domain.errors import Corrupted
from tests.faults import Faults
from tests.snapshots.stack import MACHINE, Stack, drop, put
from tests.strategies import steps


class CountingObjects:
    """An object store that counts what is read and remembers what is written."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.gets = 0
        self.stored: list[str] = []

    def put_new(self, key: str, data: bytes) -> bool:
        self.stored.append(key)
        return bool(self.inner.put_new(key, data))

    def get(self, key: str) -> bytes | None:
        self.gets += 1
        data: bytes | None = self.inner.get(key)
        return data

    def list(self, prefix: str) -> Any:
        return self.inner.list(prefix)


def test_a_snapshot_writes_only_what_changed() -> None:
    stack = Stack(part=10**6)
    stack.run(*(put(f"k{number:03}", number) for number in range(200)))
    first, _ = stack.dumper().dump(MACHINE, 1)
    stack.run(put("k007", "new"), drop("k008"))
    second, _ = stack.dumper().dump(MACHINE, 2)
    assert second.runs[0] == first.runs[0]
    (added,) = second.runs[1:]
    assert (added.generation, added.rows, added.first, added.last) == (1, 2, "k007", "k008")
    assert second.rows == 199
    assert stack.entries(2) == stack.stored()


def test_a_block_that_changed_nothing_adds_nothing() -> None:
    stack = Stack()
    stack.run(put("a", 1))
    first, _ = stack.dumper().dump(MACHINE, 1)
    stack.run()
    second, _ = stack.dumper().dump(MACHINE, 2)
    assert second.runs == first.runs
    stack.assert_whole()


@given(st.lists(st.lists(steps, max_size=4), min_size=1, max_size=25), st.integers(1, 4))
def test_every_snapshot_reads_right_whatever_was_merged(
    script: list[list[dict[str, Any]]], every: int
) -> None:
    stack = Stack()
    wanted: dict[int, Any] = {}
    for each in script:
        stack.run(*each)
        if stack.head() % every == 0:
            manifest, _ = stack.dumper().dump(MACHINE, stack.head())
            wanted[stack.head()] = stack.stored()
            assert len(manifest.generations) <= levels.MOST_GENERATIONS
    for number, entries in wanted.items():
        manifest = stack.snapshots.open(stack.snapshots.get(MACHINE, number).key)  # type: ignore[union-attr]
        assert stack.entries(number) == entries
        for key in {*entries, "a", "a/b", "no such key"}:
            value = stack.snapshots.value(manifest, key)
            assert (None if value is None else value) == stack_value(stack, number, key)
        for prefix in ("", "a", "a/", "z"):
            found = dict(stack.snapshots.scan(manifest, prefix))
            whole = dict(stack.snapshots.entries(manifest))
            assert found == {k: v for k, v in whole.items() if k.startswith(prefix)}
    stack.assert_whole()


def stack_value(stack: Stack, number: int, key: str) -> bytes | None:
    return stack.reader().state_at(MACHINE, number).entries.get(key)


def test_a_point_read_meets_few_runs() -> None:
    stack = Stack(part=10**6)
    for number in range(120):
        stack.run(put(f"k{number}", number), put("hot", number))
        stack.dumper().dump(MACHINE, stack.head())
    counting = CountingObjects(stack.objects)
    snapshots = ObjectSnapshots(counting)
    for number in (1, 37, 64, 120):
        manifest = snapshots.get(MACHINE, number)
        assert manifest is not None
        counting.gets = 0
        assert snapshots.value(manifest, "k0") == b"0"
        assert counting.gets <= levels.MOST_GENERATIONS


def test_a_merge_that_does_not_fit_the_time_is_put_off_and_made_up_for() -> None:
    stack = Stack(part=10**6)
    base = None
    for number in range(6):
        stack.run(put(f"k{number}", number))
        block = stack.blocks()[-1]
        changes = sorted(block.body.changes.items())
        base = stack.snapshots.save(block, changes, base, most=0 if number < 5 else None)
        assert len(base.generations) == (number + 1 if number < 5 else 1)
    assert stack.entries(6) == stack.stored()


@pytest.mark.parametrize(
    ("rows", "most", "merged"),
    [
        ([5], None, 1),
        ([10, 5], None, 1),
        ([7, 5], None, 2),
        ([20, 7, 5], None, 2),
        ([18, 7, 5], None, 3),
        ([18, 7, 5], 12, 2),
        ([18, 7, 5], 11, 1),
        ([10**6] * 8 + [1], None, 1),
        ([10**6] * 9 + [1], None, 10),
        ([9**n for n in range(9, 0, -1)], None, 1),
        ([9**n for n in range(10, 0, -1)], None, 2),
    ],
)
def test_what_is_merged(rows: list[int], most: int | None, merged: int) -> None:
    assert levels.merged(rows, most) == merged


def test_a_run_that_is_damaged_is_not_named_by_a_new_manifest() -> None:
    """The same changes dumped again would be the same object, which is there, but damaged."""
    stack = Stack()
    stack.run(put("a", 1))
    manifest, _ = stack.dumper().dump(MACHINE, 1)
    del stack.objects._objects[manifest.key]
    stack.objects._objects[manifest.runs[0].key] += b"!"
    with pytest.raises(Corrupted, match=manifest.runs[0].key) as caught:
        stack.dumper().dump(MACHINE, 1)
    assert "delete that object" in caught.value.hint
    assert stack.snapshots.get(MACHINE, 1) is None


def test_a_fork_goes_on_with_its_parents_runs() -> None:
    stack = Stack()
    stack.run(*(put(f"k{number}", number) for number in range(20)))
    parent, _ = stack.dumper().dump(MACHINE, 1)
    stack.restore(1, fork="copy")
    stack.run(put("k3", "other"), machine="copy")
    manifest, _ = stack.dumper(Faults()).dump("copy", 2)
    assert manifest.runs[: len(parent.runs)] == parent.runs
    assert dict(stack.snapshots.entries(manifest))["k3"] == b'"other"'
    assert stack.verify("copy").ok
