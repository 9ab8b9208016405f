"""A snapshot that is not what was stored is refused by name, and `Verifier` reports it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from blockfold.adapters import runs as module
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.restore import Target
from blockfold.domain.canonical import Canonical
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key, run_key
from blockfold.domain.manifest import Manifest, Run
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, put

FIRST, SECOND = manifest_key(MACHINE, 6), manifest_key(MACHINE, 12)


def dumped() -> Stack:
    """Twelve blocks with snapshots of 6 and 12, each of several runs."""
    stack = Stack()
    stack.grow(12)
    for number in (6, 12):
        stack.dumper().dump(MACHINE, number)
    return stack


def read(stack: Stack, number: int = 6) -> dict[str, Canonical]:
    manifest = stack.snapshots.open(manifest_key(MACHINE, number))
    return dict(stack.snapshots.entries(manifest))


def runs_of(stack: Stack, number: int = 6) -> tuple[Run, ...]:
    return stack.snapshots.open(manifest_key(MACHINE, number)).runs


def assert_found(stack: Stack, *names: str) -> None:
    """Verification goes on to its end, and says of each object what is wrong with it."""
    verification = stack.verify()
    assert not verification.ok
    assert verification.blocks == 12
    for name in names:
        assert any(name in finding for finding in verification.findings), verification.findings


PRISTINE = dumped()
NAMES = [each.key for each in PRISTINE.objects.list("")]
RUNS = [name for name in NAMES if "/runs/" in name]


def pristine() -> Stack:
    stack = Stack(PRISTINE.log, PRISTINE.table, PRISTINE.machines)
    stack.objects._objects.update(PRISTINE.objects._objects)
    return stack


def test_the_snapshots_themselves_are_good() -> None:
    stack = pristine()
    assert stack.verify().snapshots == 2
    assert stack.verify().ok
    assert all(len(runs_of(stack, number)) > 1 for number in (6, 12))
    for number in (6, 12):
        assert read(stack, number) == stack.reader().state_at(MACHINE, number).entries


@given(name=st.sampled_from(NAMES), place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_flipped_byte_in_any_object_is_noticed(name: str, place: int, flip: int) -> None:
    stack = pristine()
    data = bytearray(stack.objects._objects[name])
    data[place % len(data)] ^= flip
    stack.objects._objects[name] = bytes(data)
    refusal = None
    same = False
    try:
        same = all(read(stack, number) == read(pristine(), number) for number in (6, 12))
    except Corrupted as error:
        refusal = error.message
    if refusal is not None:
        assert name in refusal
        assert_found(stack, name)
        return
    # Not in the entries: it must be white space, or differ from the block, which verifying sees.
    assert same
    assert name in (FIRST, SECOND)
    if Manifest.from_bytes(bytes(data), name) != pristine().snapshots.open(name):
        assert_found(stack, name)
        number = int(name[-17:-5])
        with pytest.raises(Corrupted, match=name):
            stack.reader().state_at(MACHINE, number)
        with pytest.raises(Corrupted, match=name):
            stack.dumper().dump(MACHINE, number)


@given(name=st.sampled_from(NAMES), place=st.integers(0, 10**6))
def test_a_truncated_object_is_noticed(name: str, place: int) -> None:
    stack = pristine()
    data = stack.objects._objects[name]
    stack.objects._objects[name] = data[: place % (len(data) - 2)]
    with pytest.raises(Corrupted, match=name):
        [read(stack, number) for number in (6, 12)]
    assert_found(stack, name)


@pytest.mark.parametrize("field", ["hash", "time", "code", "epoch", "ordinal"])
def test_a_manifest_that_says_other_things_of_its_block_is_refused(field: str) -> None:
    stack = pristine()
    value: Any = {"hash": "ab" * 32, "code": "Other/1"}.get(field, 5)
    forged = msgspec.structs.replace(stack.snapshots.open(FIRST), **{field: value})
    stack.objects._objects[FIRST] = forged.to_bytes()
    assert_found(stack, FIRST)
    reads: list[Callable[[], object]] = [
        lambda: stack.reader().state_at(MACHINE, 6),
        lambda: stack.reader().state_at(MACHINE, 9),
        lambda: stack.dumper().dump(MACHINE, 6),
        lambda: stack.dumper().dump(MACHINE, 8),
        lambda: stack.restore(6),
        lambda: stack.restore(7, fork="other"),
    ]
    before = stack.contents()
    for each in reads:
        with pytest.raises(Corrupted, match=FIRST) as caught:
            each()
        assert "dump that block again" in caught.value.hint
    assert stack.contents() == before


@pytest.mark.parametrize("name", RUNS)
def test_a_missing_run_is_named(name: str) -> None:
    stack = pristine()
    del stack.objects._objects[name]
    with pytest.raises(Corrupted, match=f"{name} of .* is missing"):
        [read(stack, number) for number in (6, 12)]
    assert_found(stack, name)


@pytest.mark.parametrize("last", [b"", b"flipped"])
def test_a_damaged_snapshot_is_not_restored(last: bytes) -> None:
    """It is found before the log names it: in the last run, after all others were read."""
    stack = pristine()
    name = runs_of(stack)[-1].key
    stack.objects._objects[name] += last
    if not last:
        del stack.objects._objects[name]
    before = stack.contents()
    for fork in (None, "copy"):
        with pytest.raises(Corrupted, match=name):
            stack.restore(6, fork=fork)
        with pytest.raises(Corrupted, match=name):
            stack.restorer().plan(Target(MACHINE, block=6, fork=fork))
    assert stack.contents() == before


def test_a_missing_manifest_is_named_and_can_be_made_again() -> None:
    stack = pristine()
    del stack.objects._objects[FIRST]
    with pytest.raises(Corrupted, match=f"{FIRST} is missing") as caught:
        read(stack)
    assert "dump that block again" in caught.value.hint
    assert stack.snapshots.get(MACHINE, 6) is None
    stack.dumper().dump(MACHINE, 6)
    assert stack.contents() == pristine().contents()


def test_a_missing_manifest_that_was_due_is_reported() -> None:
    stack = dumped()
    stack.dumper().set_count(MACHINE, 6)
    stack.grow(6)
    stack.dumper().sweep(deadline=1.0)
    assert stack.verify().ok
    del stack.objects._objects[manifest_key(MACHINE, 18)]
    assert stack.verify().findings == ["the snapshot of block 18, which was due, is missing"]


def test_a_snapshot_of_a_block_that_is_not_there_is_reported() -> None:
    stack = pristine()
    ahead = msgspec.structs.replace(stack.snapshots.open(SECOND), number=99)
    stack.objects.put_new(ahead.key, ahead.to_bytes())
    assert_found(stack, "snapshot 99 is of no block")


def test_swapped_manifests_are_named() -> None:
    stack = pristine()
    objects = stack.objects._objects
    objects[FIRST], objects[SECOND] = objects[SECOND], objects[FIRST]
    for name, number in ((FIRST, 6), (SECOND, 12)):
        with pytest.raises(Corrupted, match=name):
            read(stack, number)
    assert_found(stack, FIRST, SECOND)


def test_another_machines_manifest_is_named() -> None:
    stack = pristine()
    stack.restore(6, fork="copy")
    stack.dumper().dump("copy", 1)
    foreign = stack.objects._objects[manifest_key("copy", 1)]
    name = manifest_key("copy", 6)
    stack.objects._objects[name] = stack.objects._objects[FIRST]
    with pytest.raises(Corrupted, match="holds the snapshot of block 6 of machine 'm'"):
        stack.snapshots.open(name)
    stack.objects._objects[FIRST] = foreign
    with pytest.raises(Corrupted, match=FIRST):
        read(stack)


def test_swapped_runs_are_named() -> None:
    stack = pristine()
    objects = stack.objects._objects
    one, two = (run.key for run in runs_of(stack)[:2])
    objects[one], objects[two] = objects[two], objects[one]
    with pytest.raises(Corrupted, match=one):
        read(stack)
    assert_found(stack, one)


# -- forged with true hashes -----------------------------------------------------------------------


def forge(stack: Stack, lines: bytes | None, packed: bytes | None = None) -> str:
    """Replaces the first run of snapshot 6 by another, hash and name in order; its key."""
    manifest = stack.snapshots.open(FIRST)
    if packed is None:
        packed = zstandard.ZstdCompressor().compress(lines or b"")
    name = sha256(packed).hexdigest()
    key = run_key(MACHINE, name)
    run = msgspec.structs.replace(manifest.runs[0], key=key, sha256=name, bytes=len(packed))
    forged = msgspec.structs.replace(manifest, runs=(run, *manifest.runs[1:]))
    stack.objects._objects[key] = packed
    stack.objects._objects[FIRST] = forged.to_bytes()
    return key


def lines_of(stack: Stack) -> list[bytes]:
    packed = stack.objects._objects[runs_of(stack)[0].key]
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed).splitlines(keepends=True)


def reversed_lines(lines: list[bytes]) -> list[bytes]:
    return lines[::-1]


def repeated_line(lines: list[bytes]) -> list[bytes]:
    return [lines[0], *lines]


def line_left_out(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def deleted_line(lines: list[bytes]) -> list[bytes]:
    return [b'{"key":"' + lines[0].split(b'"')[3] + b'","deleted":true}\n', *lines[1:]]


def no_entry(lines: list[bytes]) -> list[bytes]:
    return [b"{}\n", *lines[1:]]


def nothing(_lines: list[bytes]) -> list[bytes]:
    return []


FORGERIES = [reversed_lines, repeated_line, line_left_out, deleted_line, no_entry, nothing]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_run_that_was_made_wrongly_is_named(
    forgery: Callable[[list[bytes]], Sequence[bytes]],
) -> None:
    stack = pristine()
    assert len(lines_of(stack)) > 1
    key = forge(stack, b"".join(forgery(lines_of(stack))))
    named = FIRST if forgery is deleted_line else key  # a deletion by itself is no wrong line
    with pytest.raises(Corrupted, match=named):
        read(stack)
    assert_found(stack, named)


def test_entries_with_another_digest_than_the_manifests_are_refused() -> None:
    stack = pristine()
    forge(stack, b"".join(lines_of(stack)).replace(b'"text":"', b'"text":"!', 1))
    with pytest.raises(Corrupted, match=f"{FIRST} do not have the rows and the digest"):
        read(stack)
    assert_found(stack, FIRST)


def test_a_value_that_is_not_canonical_is_another_digest() -> None:
    stack = pristine()
    forge(stack, b"".join(lines_of(stack)).replace(b'{"n":', b'{"n": ', 1))
    with pytest.raises(Corrupted, match=FIRST):
        read(stack)


@pytest.mark.parametrize("order", [[1, 0], [0, 0, 1], [0], [0, 1, 2, 3, 3]])
def test_runs_that_are_missing_repeated_or_out_of_order_are_refused(order: list[int]) -> None:
    stack = pristine()
    manifest = stack.snapshots.open(FIRST)
    runs = [*manifest.runs]
    chosen = tuple(runs[each % len(runs)] for each in order)
    forged = msgspec.structs.replace(manifest, runs=chosen)
    stack.objects._objects[FIRST] = forged.to_bytes()
    with pytest.raises(Corrupted, match=FIRST):
        read(stack)
    assert not stack.verify().ok


@pytest.mark.parametrize("field", ["key", "sha256", "rows", "bytes", "first", "last"])
def test_a_manifest_that_describes_a_run_wrongly_is_refused(field: str) -> None:
    stack = pristine()
    manifest = stack.snapshots.open(FIRST)
    elsewhere = f"machines/m/runs/{'ab' * 32}.jsonl.zst"
    stack.objects._objects[elsewhere] = stack.objects._objects[manifest.runs[0].key]
    value: Any = {"key": elsewhere, "rows": 1_000, "bytes": 1}.get(field, "ab" * 32)
    run = msgspec.structs.replace(manifest.runs[0], **{field: value})
    forged = msgspec.structs.replace(manifest, runs=(run, *manifest.runs[1:]))
    stack.objects._objects[FIRST] = forged.to_bytes()
    with pytest.raises(Corrupted, match=run.key):
        read(stack)
    assert_found(stack, run.key)


# -- bombs -----------------------------------------------------------------------------------------


def test_a_run_that_unpacks_to_too_much_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = pristine()
    key = forge(stack, bytes(10_000))
    monkeypatch.setattr(module, "MAX_UNPACKED_BYTES", 9_999)
    with pytest.raises(Corrupted, match=f"{key} of .* unpacks to more than 9,999 bytes"):
        read(stack)


@pytest.mark.parametrize("line", [b"\n", b" "])
def test_of_a_bomb_only_a_bounded_part_is_unpacked(line: bytes) -> None:
    stack = pristine()
    packer = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    packed = packer.compress(line * 300_000_000) + packer.flush()
    key = forge(stack, None, packed)
    tracemalloc.start()
    with pytest.raises(Corrupted, match=key):
        read(stack)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert_found(stack, key)


def test_a_run_that_lies_about_its_size_does_not_unpack() -> None:
    """The frame header says 200 bytes, the blocks behind it hold 200 million."""
    packed = bytearray(zstandard.ZstdCompressor().compress(bytes(200)))
    bomb = zstandard.ZstdCompressor(write_content_size=True).compress(bytes(200_000_000))
    size = zstandard.frame_content_size(bytes(bomb))
    assert size == 200_000_000
    header = zstandard.frame_header_size(bomb)
    forged = bytearray(bomb)
    at = bytes(forged[:header]).index((200_000_000).to_bytes(4, "little"))
    forged[at : at + 4] = (200).to_bytes(4, "little")
    assert zstandard.frame_content_size(bytes(forged)) == 200
    stack = pristine()
    key = forge(stack, None, bytes(forged))
    with pytest.raises(Corrupted, match=key):
        read(stack)
    assert packed


@pytest.mark.parametrize("packed", [b"", b"not zstandard", zstandard.compress(b"x")[:-1]])
def test_a_run_that_is_no_frame_does_not_unpack(packed: bytes) -> None:
    stack = pristine()
    key = forge(stack, None, packed)
    with pytest.raises(Corrupted, match=key):
        read(stack)


# -- storing ---------------------------------------------------------------------------------------


def wrong_states(entries: dict[str, Canonical]) -> Iterator[dict[str, Canonical]]:
    yield {}
    yield dict(list(entries.items())[1:])
    yield {**entries, "zzz": b"1"}
    yield {**entries, next(iter(entries)): b"null"}


def test_a_state_without_the_blocks_digest_gets_no_manifest() -> None:
    stack = pristine()
    block = stack.log.get(MACHINE, 7)
    assert block is not None
    right = stack.reader().state_at(MACHINE, 7).entries
    for entries in wrong_states(right):
        with pytest.raises(Corrupted, match=f"block 7 of machine {MACHINE!r}"):
            stack.snapshots.save(block, sorted(entries.items()))
        assert stack.snapshots.get(MACHINE, 7) is None
    assert stack.snapshots.save(block, sorted(right.items())).number == 7


@pytest.mark.parametrize("field", ["hash", "time", "ordinal", "code"])
def test_a_manifest_that_is_there_but_of_another_block_is_not_taken_for_ours(field: str) -> None:
    stack = pristine()
    block = stack.log.get(MACHINE, 6)
    assert block is not None
    value: Any = {"hash": "ab" * 32, "code": "Other/1"}.get(field, 5)
    forged = msgspec.structs.replace(stack.snapshots.open(FIRST), **{field: value})
    stack.objects._objects[FIRST] = forged.to_bytes()
    entries = sorted(read(pristine()).items())
    with pytest.raises(Corrupted, match=FIRST):
        stack.snapshots.save(block, entries)
    assert json.loads(stack.objects._objects[FIRST])[field] == value


@pytest.mark.parametrize("part", [1, 100, 10**6])
def test_however_it_is_cut_into_runs_it_reads_the_same(part: int) -> None:
    stack = Stack(part=part)
    stack.grow(12)
    manifest, _ = stack.dumper().dump(MACHINE, 12)
    rows = len(stack.stored())
    assert manifest.rows == sum(run.rows for run in manifest.runs) == rows
    assert (len(manifest.runs) == 1) == (part == 10**6)
    assert (len(manifest.runs) == rows) == (part == 1)
    assert [run.first <= run.last for run in manifest.runs] == [True] * len(manifest.runs)
    assert stack.entries(12) == stack.stored()
    other = ObjectSnapshots(stack.objects, part=50)
    block = stack.log.get(MACHINE, 12)
    assert block is not None
    assert other.save(block, stack.reader().state(MACHINE).entries.items()) == manifest


def test_the_snapshot_of_an_empty_state_has_no_runs() -> None:
    stack = Stack()
    stack.run()
    manifest, made = stack.dumper().dump(MACHINE, 1)
    assert made
    assert (manifest.rows, manifest.runs, manifest.size) == (0, (), 0)
    assert stack.entries(1) == {}
    stack.run(put("a", 1))
    stack.restore(1)
    assert stack.stored() == {}
    stack.assert_whole()
