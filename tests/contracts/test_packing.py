"""Bodies as they are stored: what was packed once is read for ever; ten actions fit one unit."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bench import forest, leaderboard
from bench.block_sizes import blocks
from bench.workload import Workload
from blockfold.adapters.bodies import ObjectBodies
from blockfold.adapters.dynamodb import DynamoBlockLog, packing
from blockfold.adapters.dynamodb.items import INLINE_BYTES, to_item
from blockfold.adapters.dynamodb.packing import pack, unpack
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import body_key
from blockfold.domain.units import item_bytes, write_units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLDER = Path(packing.__file__).parent

BODY = (
    b'{"marks":[{"queue":"arn:aws:sqs:eu-west-1:111122223333:actions.fifo",'
    b'"sent":1767225602000,"sequence":"18849496460467696130"}],"messages":[{"actions":'
    b'[{"args":{"tree":"t1"},"type":"cut"}],"id":"5fea7756-0ea4-451a-a703-a558b933e271",'
    b'"sender":"AROAEXAMPLE:alice","time":1767225601000}],"set":{"cut":1}}'
)

FRAMES = {
    0: zstandard.ZstdCompressor(level=3, write_checksum=False).compress(BODY).hex(),
    45057: (
        "28b52ffd6201b02b00850300034610970ba284804913650caa243c40282a3d82f8b86144054f32d54fce8c4e"
        "cd418790f7163173cde720d6b889626214fbfbf49ade75634ce6e983929989c884704d5810fceb2ba124e47a"
        "6462ead9898bb919faa4c1eda8fea77adfc5f22ec8dbcd2de51087a1dc2fdb01c63a4802"
    ),
}
"""`BODY` as it was packed with each dictionary that ever was, and with none."""

DICTIONARIES = {45057: "3ee3980901a6cf50697249a449f94d20d376f6d819da3fd773a064fbecb2a14e"}
"""SHA-256 of each. One that changed could not unpack what was packed with it."""


@pytest.mark.parametrize("id_", FRAMES)
def test_what_was_packed_once_is_read(id_: int) -> None:
    frame = bytes.fromhex(FRAMES[id_])
    assert zstandard.get_frame_parameters(frame).dict_id == id_
    assert unpack(frame, "a block") == BODY


def test_no_dictionary_ever_changes_or_goes() -> None:
    assert {*packing.DICTIONARIES} == {*DICTIONARIES} == {*FRAMES} - {0}
    for id_, file in packing.DICTIONARIES.items():
        data = (FOLDER / file).read_bytes()
        assert sha256(data).hexdigest() == DICTIONARIES[id_]
        assert zstandard.ZstdCompressionDict(data).dict_id() == id_


def test_a_frame_is_plain_zstd_with_that_file() -> None:
    """As ``zstd -d -D bodies-1.zdict`` reads it."""
    file = FOLDER / packing.DICTIONARIES[packing.NEWEST]
    dictionary = zstandard.ZstdCompressionDict(file.read_bytes())
    reader = zstandard.ZstdDecompressor(dict_data=dictionary)
    assert reader.decompress(pack(BODY)) == BODY


class Puts:
    """A client that takes every put."""

    def put_item(self, **_: Any) -> None:
        pass


def test_an_object_needs_no_dictionary() -> None:
    """However small the body is that stands in it, and whoever stored it."""
    (block,) = blocks(leaderboard.workload(10))
    assert len(block.payload) <= packing.SMALL_BYTES
    key = body_key(block.machine, block.number, block.header.body)
    committed, repaired = MemoryObjectStore(), MemoryObjectStore()
    DynamoBlockLog(cast("DynamoDBClient", Puts()), "blocks", committed, inline=0).append(block)
    ObjectBodies(repaired).store(block)
    for objects in (committed, repaired):
        packed = objects.get(key)
        assert packed is not None
        assert zstandard.ZstdDecompressor().decompress(packed) == block.payload


@given(st.binary(max_size=200), st.sampled_from((1, 40, packing.SMALL_BYTES, 9_000)))
def test_what_is_packed_is_unpacked(some: bytes, times: int) -> None:
    body = (BODY + some) * (times // len(BODY)) + some
    packed = pack(body)
    needs = zstandard.get_frame_parameters(packed).dict_id
    assert needs == (packing.NEWEST if len(body) <= packing.SMALL_BYTES else 0)
    assert unpack(packed, "a block") == body


def test_several_threads_pack_at_once() -> None:
    bodies = [BODY.replace(b"t1", b"%d" % number) for number in range(400)]
    with ThreadPoolExecutor(8) as threads:
        packed = list(threads.map(pack, bodies))
        assert list(threads.map(lambda each: unpack(each, "a block"), packed)) == bodies


def test_an_unknown_dictionary_is_named() -> None:
    taught = [BODY.replace(b"t1", b"%d" % number) for number in range(200)]
    other = zstandard.train_dictionary(1024, [*taught], dict_id=45999)
    packed = zstandard.ZstdCompressor(dict_data=other).compress(BODY)
    with pytest.raises(Corrupted, match="block 7 is packed with dictionary 45999") as raised:
        unpack(packed, "block 7")
    assert raised.value.hint == "if a newer version wrote it, use that one"


def test_a_damaged_frame_is_corrupted() -> None:
    packed = pack(BODY)
    for damaged in (packed[:-1], packed[1:], b"", packed[:4], bytes(40)):
        with pytest.raises(Corrupted, match="block 7"):
            unpack(damaged, "block 7")


@pytest.mark.parametrize(
    ("workload", "most"), [(leaderboard.workload(1_000), 960), (forest.workload(1_000), 1_010)]
)
def test_a_block_of_ten_actions_takes_one_write_unit(workload: Workload, most: int) -> None:
    """The dictionary has not seen the leaderboard, see `bench.dictionary`."""
    items = [to_item(block, pack(block.payload)) for block in blocks(workload)]
    sizes = [item_bytes(item) for item in items]
    assert statistics.mean(sizes) <= most
    assert statistics.mean(map(write_units, sizes)) <= 1.1
    assert max(sizes) < INLINE_BYTES
