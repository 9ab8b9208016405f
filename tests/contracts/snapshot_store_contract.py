"""What every `SnapshotStore` must do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest

from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.canonical import Canonical
from blockfold.domain.digest import digest_of, sum_of
from blockfold.domain.errors import Corrupted
from blockfold.domain.execute import seal
from blockfold.domain.keys import is_run_key, manifest_key, run_key, runs_prefix
from blockfold.domain.replay import fold
from blockfold.domain.spans import FIRST, LAST
from blockfold.ports import ObjectStore, SnapshotStore
from tests.contracts.samples import block_after, chain, new_machine


def states(
    machine: str, length: int, size: int = 0
) -> Iterator[tuple[Block, dict[str, Canonical]]]:
    """Blocks, each with the state after it."""
    entries: dict[str, Canonical] = {}
    for block in chain(machine, length, size):
        fold(entries, block)
        yield block, dict(entries)


def _only_state(machine: str) -> tuple[Block, list[tuple[str, Canonical]]]:
    ((block, entries),) = states(machine, 1)
    return block, sorted(entries.items())


class SnapshotStoreContract:
    """Subclasses give the fixtures ``snapshots`` and ``objects``, where they are kept."""

    def test_a_state_comes_back_in_key_order(self, snapshots: SnapshotStore) -> None:
        *_, (block, entries) = states(new_machine(), 12)
        manifest = snapshots.save(block, sorted(entries.items()))
        assert list(snapshots.entries(manifest)) == sorted(entries.items())
        assert snapshots.get(block.machine, 12) == manifest
        assert snapshots.open(manifest.key) == manifest

    def test_a_part_between_two_keys(self, snapshots: SnapshotStore) -> None:
        """Over several files and generations; what a later one deleted is in none."""
        *_, (block, entries) = states(new_machine(), 12, 60_000)
        manifest = snapshots.save(block, sorted(entries.items()))
        keys = [FIRST, *sorted(entries), LAST]
        for after in keys:
            for upto in keys:
                wanted = [each for each in sorted(entries.items()) if after < each[0] <= upto]
                assert list(snapshots.scan(manifest, after=after, upto=upto)) == wanted
        first = min(entries)
        assert list(snapshots.scan(manifest, first, after=first)) == [
            each
            for each in sorted(entries.items())
            if each[0] > first and each[0].startswith(first)
        ]

    def test_a_part_reads_no_file_that_does_not_overlap_it(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        *_, (block, entries) = states(new_machine(), 8, 100_000)
        manifest = snapshots.save(block, sorted(entries.items()))
        *others, last = manifest.runs
        assert others
        objects.delete([run.key for run in others])
        wanted = [each for each in sorted(entries.items()) if each[0] > others[-1].last]
        assert list(snapshots.scan(manifest, after=others[-1].last)) == wanted
        with pytest.raises(Corrupted, match="is missing"):
            list(snapshots.scan(manifest, upto=last.first))

    def test_a_state_from_outside_is_no_snapshot_of_its_machine(
        self, snapshots: SnapshotStore
    ) -> None:
        machine = new_machine()
        entries = [("a", b"1"), ("b", b'"two"')]
        before = Head(machine=machine, number=-1)
        block = seal(before, Body(), total=sum_of(entries), keys=2, time=0, code="x/1")
        key = snapshots.upload(block, entries)
        assert snapshots.upload(block, entries) == key
        manifest = snapshots.open(key)
        assert (manifest.machine, manifest.number, manifest.hash) == (machine, 0, block.hash)
        assert list(snapshots.entries(manifest)) == entries
        assert snapshots.numbers(machine) == []
        assert snapshots.get(machine, 0) is None
        with pytest.raises(Corrupted, match="block 0"):
            snapshots.upload(block, entries[:1])

    def test_the_manifest_says_what_the_block_says(self, snapshots: SnapshotStore) -> None:
        (_, (block, entries)) = states(new_machine(), 2)
        manifest = snapshots.save(block, sorted(entries.items()))
        assert manifest.key == manifest_key(block.machine, 2)
        assert (manifest.machine, manifest.number) == (block.machine, 2)
        assert (manifest.hash, manifest.digest) == (block.hash, block.header.digest)
        assert manifest.digest == digest_of(sum_of(entries.items()))
        assert (manifest.rows, manifest.ordinal) == (2, block.head.ordinal)
        assert (manifest.time, manifest.code) == (block.header.time, "Sample/1")

    def test_a_large_state_is_several_runs(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        *_, (block, entries) = states(new_machine(), 8, 100_000)
        manifest = snapshots.save(block, sorted(entries.items()))
        assert len(manifest.runs) > 1
        assert dict(snapshots.entries(manifest)) == entries
        for run in manifest.runs:
            packed = objects.get(run.key)
            assert packed is not None
            assert run.key.startswith(runs_prefix(block.machine))
            assert is_run_key(run.key, run.sha256)
            assert len(packed) == run.bytes

    def test_there_is_no_snapshot_that_was_not_saved(self, snapshots: SnapshotStore) -> None:
        machine = new_machine()
        assert snapshots.get(machine, 1) is None
        assert snapshots.numbers(machine) == []
        with pytest.raises(Corrupted, match="is missing"):
            snapshots.open(manifest_key(machine, 1))

    def test_saving_again_changes_nothing(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        ((block, entries),) = states(new_machine(), 1)
        manifest = snapshots.save(block, sorted(entries.items()))
        before = objects.get(manifest.key)
        assert snapshots.save(block, sorted(entries.items())) == manifest
        assert objects.get(manifest.key) == before

    def test_snapshots_are_numbered_in_order(self, snapshots: SnapshotStore) -> None:
        machine = new_machine()
        saved = [each for each in states(machine, 12) if each[0].number in (2, 9, 10, 12)]
        for block, entries in saved[::-1]:
            snapshots.save(block, sorted(entries.items()))
        other = block_after(Head(machine=f"{machine}/more"))
        snapshots.save(other, sorted(other.body.changes.items()))  # type: ignore[arg-type]
        assert snapshots.numbers(machine) == [2, 9, 10, 12]
        assert snapshots.numbers(f"{machine}/more") == [1]

    def test_runs_are_not_numbered(self, snapshots: SnapshotStore, objects: ObjectStore) -> None:
        machine = new_machine()
        for name in ("notes.txt", "000000000007.json.bak", "x.json"):
            objects.put_new(manifest_key(machine, 1).replace("000000000001.json", name), b"")
        assert snapshots.numbers(machine) == []

    def test_a_state_of_another_digest_is_refused(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        (_, (block, entries)) = states(new_machine(), 2)
        for wrong in ({}, {**entries, "key/0": b"0"}, {**entries, "more": b"0"}):
            with pytest.raises(Corrupted, match=f"block 2 of machine {block.machine!r}"):
                snapshots.save(block, sorted(wrong.items()))
        assert snapshots.get(block.machine, 2) is None
        assert snapshots.numbers(block.machine) == []

    def test_another_blocks_snapshot_is_not_taken_for_this_ones(
        self, snapshots: SnapshotStore
    ) -> None:
        ((block, entries),) = states(new_machine(), 1)
        other = block_after(Head(machine=block.machine), message="other")
        assert other.hash != block.hash
        manifest = snapshots.save(block, sorted(entries.items()))
        with pytest.raises(Corrupted, match=manifest.key):
            snapshots.save(other, sorted(entries.items()))
        assert snapshots.get(block.machine, 1) == manifest

    def test_a_removed_snapshot_is_gone_but_whoever_holds_it_reads_it(
        self, snapshots: SnapshotStore
    ) -> None:
        ((first, entries), (second, _)) = states(new_machine(), 2)
        manifest = snapshots.save(first, sorted(entries.items()))
        changes = second.body.changes
        newer = snapshots.save(second, sorted(changes.items()), manifest)
        snapshots.retire(manifest)
        snapshots.retire(manifest)
        assert snapshots.get(first.machine, 1) is None
        assert snapshots.numbers(first.machine) == [2]
        assert dict(snapshots.entries(manifest)) == entries
        assert len(list(snapshots.entries(newer))) == 2
        again = snapshots.save(first, sorted(entries.items()))
        assert again == manifest
        assert snapshots.numbers(first.machine) == [1, 2]

    def test_roots_are_what_is_there_what_is_pinned_and_what_was_just_removed(
        self, snapshots: SnapshotStore, objects: ObjectStore
    ) -> None:
        saved = [snapshots.save(b, sorted(e.items())) for b, e in states(new_machine(), 3)]
        machine = saved[0].machine
        other = snapshots.save(*_only_state(f"{machine}/more"))
        pin = snapshots.pin(saved[1])
        assert snapshots.roots(machine) == [*(each.key for each in saved), pin]
        snapshots.retire(saved[0])
        snapshots.retire(saved[1])
        kept, pinned, *removed = snapshots.roots(machine)
        assert (kept, pinned) == (saved[2].key, pin)
        assert [snapshots.open(key) for key in removed] == saved[:2]
        assert snapshots.leftovers(machine) == []
        assert snapshots.roots(other.machine) == [other.key]
        tomorrow = time.time_ns() // 1_000_000 + 86_402_000
        later = ObjectSnapshots(objects, now=lambda: tomorrow)
        assert later.roots(machine) == [saved[2].key, pin]
        assert [each.key for each in later.leftovers(machine)] == removed

    def test_what_is_missing_is_named(self, snapshots: SnapshotStore) -> None:
        ((block, entries),) = states(new_machine(), 1)
        manifest = snapshots.save(block, sorted(entries.items()))
        lost = msgspec.structs.replace(
            manifest.runs[0], key=run_key(block.machine, "ab" * 32), sha256="ab" * 32
        )
        with pytest.raises(Corrupted, match=lost.key):
            list(snapshots.entries(msgspec.structs.replace(manifest, runs=(lost,))))
