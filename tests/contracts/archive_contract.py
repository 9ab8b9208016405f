"""What every `Archive` must do."""

from __future__ import annotations

import time

import pytest

from blockfold.domain.block import Head
from blockfold.domain.errors import Corrupted
from blockfold.domain.segments import Segment
from blockfold.ports import Archive
from tests.contracts.block_log_contract import same
from tests.contracts.samples import block_after, chain, new_machine


class ArchiveContract:
    """Subclasses give the fixture ``archive``."""

    @pytest.mark.parametrize("size", [0, 40_000])
    def test_blocks_come_back_to_the_byte(self, archive: Archive, size: int) -> None:
        blocks = list(chain(new_machine(), 5, size))
        (segment,) = archive.write(iter(blocks))
        found = list(archive.read(segment))
        assert len(found) == 5
        assert all(same(one, other) for one, other in zip(found, blocks, strict=True))
        assert (segment.first, segment.last, segment.epoch) == (1, 5, 0)
        assert segment.hash == blocks[-1].hash

    def test_segments_are_listed_by_first_block_with_size_and_age(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 12))
        before = time.time_ns() // 1_000_000
        for first, last in ((9, 12), (1, 4), (3, 9), (1, 2)):
            archive.write(blocks[first - 1 : last])
        listed = archive.segments(machine)
        assert [(each.first, each.last) for each in listed] == [(1, 2), (1, 4), (3, 9), (9, 12)]
        for each in listed:
            assert each.hash == blocks[each.last - 1].hash
            assert each.bytes > 0
            assert abs(each.modified - before) < 60_000
            assert [block.number for block in archive.read(each)] == [
                *range(each.first, each.last + 1)
            ]
        assert archive.segments(new_machine()) == []

    def test_writing_the_same_again_changes_nothing(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 4))
        written = archive.write(blocks)
        listed = archive.segments(machine)
        assert archive.write(blocks) == written
        assert archive.segments(machine) == listed
        assert archive.write(blocks, anew=True) == written
        assert len(archive.segments(machine)) == 1

    def test_machines_do_not_mix(self, archive: Archive) -> None:
        one, two = new_machine(), new_machine()
        for machine, length in ((one, 2), (two, 3)):
            archive.write(chain(machine, length))
        assert [each.last for each in archive.segments(one)] == [2]
        assert [each.last for each in archive.segments(two)] == [3]

    def test_a_block_that_does_not_follow_is_refused(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 4))
        other = block_after(blocks[0].head, "other", message="m2")
        for wrong in ([blocks[0], blocks[2]], [blocks[0], other, blocks[2]], blocks[1::-1]):
            with pytest.raises(Corrupted, match="does not follow"):
                archive.write(wrong)
        with pytest.raises(Corrupted, match="does not follow"):
            archive.write([*blocks, *chain(new_machine(), 5)])
        assert archive.segments(machine) == []

    def test_nothing_is_nothing(self, archive: Archive) -> None:
        assert archive.write([]) == []

    def test_an_epoch_begins_a_segment_of_its_own(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 3))
        archive.begin(machine, 1, blocks[-1])
        archive.begin(machine, 1, blocks[-1])
        (note,) = archive.segments(machine)
        assert (note.first, note.last, note.epoch, note.blocks) == (4, 3, 1, 0)
        assert list(archive.read(note)) == []
        newer = block_after(
            Head(
                machine=machine,
                number=3,
                hash=blocks[-1].hash,
                total=blocks[-1].total,
                keys=3,
                ordinal=0,
                time=blocks[-1].header.time,
                epoch=1,
            )
        )
        written = archive.write([*blocks, newer])
        assert [(each.first, each.last, each.epoch) for each in written] == [(1, 3, 0), (4, 4, 1)]
        with pytest.raises(Corrupted, match="does not follow"):
            archive.write([newer, block_after(newer.head), *blocks])

    def test_a_segment_that_is_not_there_cannot_be_read(self, archive: Archive) -> None:
        machine = new_machine()
        (segment,) = archive.write(chain(machine, 2))
        for missing in (
            Segment(machine, 1, 3, 0, segment.hash),
            Segment(machine, 1, 2, 1, segment.hash),
            Segment(machine, 1, 2, 0, "ab" * 32),
            Segment(new_machine(), 1, 2, 0, segment.hash),
        ):
            with pytest.raises(Corrupted, match="missing"):
                list(archive.read(missing))

    def test_deleted_segments_are_gone(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 6))
        first = archive.write(blocks[:3])
        second = archive.write(blocks[3:])
        archive.delete(first)
        archive.delete([*first, Segment(machine, 9, 9, 0, "ab" * 32)])
        assert [each.key for each in archive.segments(machine)] == [each.key for each in second]
        with pytest.raises(Corrupted, match="missing"):
            list(archive.read(first[0]))

    def test_a_body_of_megabytes_has_a_segment_to_itself(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 3, 9_000_000))
        written = archive.write(blocks)
        assert [(each.first, each.last) for each in written] == [(1, 1), (2, 2), (3, 3)]
        assert same(next(archive.read(written[1])), blocks[1])

    def test_a_segment_is_closed_at_eight_megabytes(self, archive: Archive) -> None:
        machine = new_machine()
        blocks = list(chain(machine, 20, 1_000_000))
        written = archive.write(iter(blocks))
        assert [each.blocks for each in written] == [8, 8, 4]
        assert [b.number for each in written for b in archive.read(each)] == [*range(1, 21)]
