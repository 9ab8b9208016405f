"""Blocks in DynamoDB and S3: where a body stands, and what damage to item or body is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from blockfold import Context, Machine, State, action, execute
from blockfold.adapters.dynamodb import DynamoBlockLog, items, packing
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.bootstrap import Adapters
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import Corrupted, LimitExceeded
from blockfold.domain.keys import body_key
from blockfold.domain.replay import EntriesSource
from tests.contracts.samples import block_after, chain, new_machine, noise
from tests.strategies import message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Item = dict[str, Any]


def key_of(block: Block) -> dict[str, AttributeValueTypeDef]:
    return {"machine": {"S": block.machine}, "number": {"N": str(block.number)}}


def item_of(adapters: Adapters, block: Block) -> Item:
    """The raw item."""
    answer = adapters.clients.dynamodb.get_item(
        TableName=adapters.settings.blocks_table, Key=key_of(block)
    )
    return answer["Item"]


def objects_of(adapters: Adapters, machine: str) -> list[str]:
    """Keys of the objects that a machine has in the bucket."""
    listed = adapters.clients.s3.list_objects_v2(Bucket=adapters.settings.snapshots_bucket)
    keys = [entry["Key"] for entry in listed.get("Contents", [])]
    prefix = body_key(machine, 0, "").split("log/")[0]
    return [key for key in keys if key.startswith(prefix)]


def spilled(adapters: Adapters) -> tuple[Block, str]:
    """A stored block whose body is an object, and that object's key."""
    (block,) = chain(new_machine(), 1, 40_000)
    adapters.log.append(block)
    (key,) = objects_of(adapters, block.machine)
    return block, key


class TestWhereBodiesStand:
    def test_up_to_the_limit_in_the_item_above_it_in_an_object(self, ministack: Adapters) -> None:
        machine = new_machine()
        head = Head(machine=machine)
        sizes = {}
        for characters in range(21_000, 23_000, 100):
            block = block_after(head, noise(characters, characters))
            ministack.log.append(block)
            head = block.head
            item = item_of(ministack, block)
            packed = packing.pack(block.payload)
            sizes[len(packed)] = "body" in item
            if "body" in item:
                assert bytes(item["body"]["B"]) == packed
            else:
                assert bytes(item["spilled"]["B"]).hex() == block.header.body
                assert body_key(machine, block.number, block.header.body) in objects_of(
                    ministack, machine
                )
        assert sizes == {size: size <= items.INLINE_BYTES for size in sizes}
        assert set(sizes.values()) == {True, False}

    def test_the_object_is_named_by_number_and_hash_below_the_machine(
        self, ministack: Adapters
    ) -> None:
        block, key = spilled(ministack)
        assert key.startswith("machines/rooms%2F")
        assert key.endswith(f"/log/000000000001-{block.header.body}")

    def test_a_small_block_needs_no_object(self, ministack: Adapters) -> None:
        (block,) = chain(new_machine(), 1)
        ministack.log.append(block)
        assert objects_of(ministack, block.machine) == []

    def test_anyone_can_read_a_body_with_zstd(self, ministack: Adapters) -> None:
        block, key = spilled(ministack)
        bucket = ministack.settings.snapshots_bucket
        packed = ministack.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert zstandard.ZstdDecompressor().decompress(packed) == block.payload

    def test_a_body_left_by_a_crash_before_the_commit_is_taken_over(
        self, ministack: Adapters
    ) -> None:
        (block,) = chain(new_machine(), 1, 40_000)
        key = body_key(block.machine, 1, block.header.body)
        assert ministack.objects.put_new(key, packing.pack(block.payload))
        ministack.log.append(block)
        found = ministack.log.get(block.machine, 1)
        assert found is not None
        assert found.payload == block.payload


def read_all_ways(adapters: Adapters, block: Block) -> list[Callable[[], object]]:
    return [
        lambda: adapters.log.get(block.machine, block.number),
        lambda: adapters.log.head(block.machine),
        lambda: list(adapters.log.read(block.machine, 1)),
        lambda: adapters.log.append(block_after(Head(machine=block.machine), "x", message="m9")),
    ]


def assert_corrupted(adapters: Adapters, block: Block, *names: str) -> None:
    """However the block is read, `Corrupted` names it."""
    for read in read_all_ways(adapters, block):
        with pytest.raises(Corrupted) as caught:
            read()
        for name in (f"block {block.number} of machine {block.machine!r}", *names):
            assert name in str(caught.value)


class TestDamagedObjects:
    def test_missing(self, ministack: Adapters) -> None:
        block, key = spilled(ministack)
        ministack.clients.s3.delete_object(Bucket=ministack.settings.snapshots_bucket, Key=key)
        assert_corrupted(ministack, block, key, "no such object")

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda _: b"", id="empty"),
            pytest.param(lambda data: data[:-1], id="cut short"),
            pytest.param(lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:], id="flipped"),
            pytest.param(lambda _: b"not zstd at all", id="something else"),
            pytest.param(lambda _: packing.pack(b'{"messages":[]}'), id="another body"),
            pytest.param(lambda _: packing.pack(b""), id="an empty body"),
        ],
    )
    def test_damaged(self, ministack: Adapters, damage: Callable[[bytes], bytes]) -> None:
        block, key = spilled(ministack)
        bucket = ministack.settings.snapshots_bucket
        data = ministack.clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert damage(data) != data
        ministack.clients.s3.put_object(Bucket=bucket, Key=key, Body=damage(data))
        assert_corrupted(ministack, block, key)

    def test_a_body_that_unpacks_to_no_end_is_not_unpacked(
        self, ministack: Adapters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        block, key = spilled(ministack)
        monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", 39_999)
        assert_corrupted(ministack, block, key, "more than 39,999 bytes")


class TestBodiesTooLargeToRead:
    def test_they_are_refused_before_anything_is_stored(
        self, ministack: Adapters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (block,) = chain(new_machine(), 1, 40_000)
        monkeypatch.setattr(packing, "MAX_PAYLOAD_BYTES", 40_000)
        refusal = rf"block 1 of machine .* has a body of {len(block.payload):,} bytes, 40,000 are"
        with pytest.raises(LimitExceeded, match=refusal):
            ministack.log.append(block)
        assert ministack.log.head(block.machine) is None
        assert objects_of(ministack, block.machine) == []

    def test_the_largest_block_that_messages_can_make_is_far_from_it(self) -> None:
        """A full block, then 1 MiB of arguments that grow 21-fold, and all that may be written."""
        fill = [{"type": "fill", "args": {"number": n}} for n in range(41)]
        numbers = ",".join(["1e125"] * ((2**20 - 100) // len("1e125,")))
        most = f'{{"type":"most","args":{{"numbers":[{numbers}]}}}}'
        messages = [message(1, fill), replace(message(2, []), body=most)]
        assert len(messages[1].body) <= 2**20
        block = execute(Greedy(), Head(machine="m"), EntriesSource({}), messages)
        assert block.header.outcomes == (42, 0, 0, 0)
        assert 40 * 2**20 < len(block.payload) < 44 * 2**20 < packing.MAX_PAYLOAD_BYTES
        log = DynamoBlockLog(OneItem(), "Blocks", MemoryObjectStore())  # type: ignore[arg-type]
        log.append(block)
        found = log.get("m", 1)
        assert found is not None
        assert (found.hash, found.payload) == (block.hash, block.payload)


class OneItem:
    """As much of a client as one block needs."""

    def put_item(self, **request: Any) -> None:
        self._item = request["Item"]

    def get_item(self, **_: Any) -> Item:
        return {"Item": self._item}


class Greedy(Machine):
    """Writes as much as blocks and actions may hold."""

    @action
    def fill(self, state: State, context: Context, number: int) -> None:
        state[f"fill/{number}"] = "x" * 100_000

    @action
    def most(self, state: State, context: Context, numbers: list[int]) -> None:
        for number in range(52):
            state[f"{number:02d}".ljust(1_000, "\x01")] = "x" * 310_000


_TAMPERED: dict[str, AttributeValueTypeDef] = {
    "parent": {"B": bytes(31) + b"\1"},
    "hash": {"B": bytes(32)},
    "sum": {"B": bytes(255) + b"\1"},
    "epoch": {"N": "1"},
    "ordinal": {"N": "1"},
    "outcomes": {"L": [{"N": "1"}, {"N": "0"}, {"N": "0"}, {"N": "0"}]},
    "changes": {"N": "2"},
    "time": {"N": "2"},
    "code": {"S": "Sample/2"},
    "format": {"N": "99"},
    "body": {"B": packing.pack(b'{"messages":[]}')},
}

_NONSENSE: dict[str, AttributeValueTypeDef] = {
    "parent": {"S": "text"},
    "hash": {"N": "1"},
    "sum": {"B": bytes(255) + b"\1" + bytes(10)},
    "outcomes": {"L": [{"N": "1"}]},
    "changes": {"N": "1.5"},
    "time": {"S": "noon"},
    "code": {"NULL": True},
    "body": {"S": "text"},
    "spilled": {"S": "text"},
}


class TestTamperedItems:
    @pytest.mark.parametrize("name", [*_TAMPERED])
    def test_changed(self, ministack: Adapters, name: str) -> None:
        (block,) = chain(new_machine(), 1)
        ministack.log.append(block)
        self._put(ministack, {**item_of(ministack, block), name: _TAMPERED[name]})
        assert_corrupted(ministack, block)

    @pytest.mark.parametrize(
        ("name", "size"),
        [
            *((name, 0) for name in _NONSENSE if name != "spilled"),
            *((name, 40_000) for name in _NONSENSE if name != "body"),
        ],
    )
    def test_of_another_type(self, ministack: Adapters, name: str, size: int) -> None:
        (block,) = chain(new_machine(), 1, size)
        ministack.log.append(block)
        self._put(ministack, {**item_of(ministack, block), name: _NONSENSE[name]})
        assert_corrupted(ministack, block)

    @pytest.mark.parametrize("name", [*_TAMPERED])
    def test_missing(self, ministack: Adapters, name: str) -> None:
        (block,) = chain(new_machine(), 1)
        ministack.log.append(block)
        item = item_of(ministack, block)
        del item[name]
        self._put(ministack, item)
        assert_corrupted(ministack, block)

    def test_copied_to_another_number_or_machine(self, ministack: Adapters) -> None:
        first, second = chain(new_machine(), 2)
        ministack.log.append(first)
        ministack.log.append(second)
        item = item_of(ministack, first)
        self._put(ministack, {**item, "number": {"N": "3"}})
        with pytest.raises(Corrupted, match="block 3"):
            ministack.log.head(first.machine)
        other = new_machine()
        self._put(ministack, {**item, "machine": {"S": other}})
        with pytest.raises(Corrupted, match="is not what its hash says"):
            ministack.log.get(other, 1)

    def test_an_unknown_format_is_named(self, ministack: Adapters) -> None:
        (block,) = chain(new_machine(), 1)
        ministack.log.append(block)
        self._put(ministack, {**item_of(ministack, block), "format": {"N": "99"}})
        with pytest.raises(Corrupted, match="has format 99, this version reads 1"):
            ministack.log.get(block.machine, 1)

    def _put(self, adapters: Adapters, item: Item) -> None:
        adapters.clients.dynamodb.put_item(TableName=adapters.settings.blocks_table, Item=item)
