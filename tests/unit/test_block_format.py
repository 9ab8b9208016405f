"""The page on the block format, the golden file, and the code agree, byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given

from blockfold import Block, Head
from blockfold.domain import digest
from blockfold.domain.block import OUTCOMES, ActionRecord, Body, Header, Mark, MessageRecord
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.context import Event
from blockfold.domain.replay import EntriesSource, chained, check_link, fold, reexecute
from machines.forest import Forest
from tests.machines_for_tests import Cells
from tests.strategies import values

PAGE = (Path(__file__).parents[2] / "docs" / "block-format.md").read_text(encoding="utf-8")
GOLDEN = json.loads(
    (Path(__file__).parent / "golden" / "block-v1.json").read_text(encoding="utf-8")
)


def fenced(language: str) -> str:
    """The page's only block of that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert isinstance(found, str)
    return found


VECTORS = json.loads(fenced("json"))


@pytest.fixture(scope="module")
def verifier() -> Any:
    module = ModuleType("verifier")
    exec(fenced("python"), module.__dict__)
    return module


def block_of(header: dict[str, Any], payload: str, total: int) -> Block:
    return Block(msgspec.convert(header, Header), payload.encode(), total)


def blocks_of_the_page() -> list[Block]:
    total = digest.EMPTY
    entries: dict[str, Canonical] = {}
    blocks = []
    for vector in VECTORS["blocks"]:
        block = block_of(vector["header"], vector["body"], 0)
        fold(entries, block)
        total = digest.sum_of(entries.items())
        blocks.append(block_of(vector["header"], vector["body"], total))
    return blocks


# -- the page --------------------------------------------------------------------------------------


def test_the_verifier_accepts_the_vectors_and_arrives_at_the_last_hash(verifier: Any) -> None:
    assert verifier.verify(VECTORS["blocks"]) == VECTORS["blocks"][-1]["hash"]


def spoil_hash(blocks: Any) -> None:
    blocks[1]["hash"] = blocks[0]["hash"]


def spoil_body(blocks: Any) -> None:
    blocks[0]["body"] = blocks[0]["body"].replace("oak", "ash")


def spoil_parent(blocks: Any) -> None:
    blocks[1]["header"]["parent"] = "0" * 64


def spoil_digest(blocks: Any) -> None:
    blocks[0]["header"]["digest"] = VECTORS["digests"]["empty"]


def spoil_time(blocks: Any) -> None:
    blocks[0]["header"]["time"] += 1


@pytest.mark.parametrize("spoil", [spoil_hash, spoil_body, spoil_parent, spoil_digest, spoil_time])
def test_the_verifier_refuses_what_was_spoilt(verifier: Any, spoil: Callable[[Any], None]) -> None:
    blocks = json.loads(fenced("json"))["blocks"]
    spoil(blocks)
    with pytest.raises(AssertionError):
        verifier.verify(blocks)


def test_the_code_gives_the_vectors_of_entries_and_digests() -> None:
    entries = [(each["key"], each["value"].encode()) for each in VECTORS["entries"]]
    for (key, value), vector in zip(entries, VECTORS["entries"], strict=True):
        assert encode(json.loads(value)) == value
        number = digest.to_bytes(digest.entry_number(key, value))
        assert number.hex().startswith(vector["number_starts"])
    assert VECTORS["digests"] == {
        "empty": digest.digest_of(digest.EMPTY),
        "both": digest.digest_of(digest.sum_of(entries)),
    }


def test_the_verifier_gives_the_vectors_of_entries_and_digests(verifier: Any) -> None:
    numbers = []
    for vector in VECTORS["entries"]:
        value = json.loads(vector["value"], parse_float=verifier.Fraction)
        numbers.append(verifier.number(vector["key"], value))
        assert numbers[-1].to_bytes(256, "big").hex().startswith(vector["number_starts"])
    assert verifier.digest(numbers) == VECTORS["digests"]["both"]
    assert verifier.digest([]) == VECTORS["digests"]["empty"]


def test_the_code_reads_the_vectors_blocks() -> None:
    blocks = blocks_of_the_page()
    assert [block.hash for block in blocks] == [each["hash"] for each in VECTORS["blocks"]]
    assert list(chained(Head(machine="glade"), blocks)) == blocks


def test_the_code_makes_the_vectors_blocks() -> None:
    head, entries = Head(machine="glade"), dict[str, Canonical]()
    for block in blocks_of_the_page():
        assert reexecute(Forest(), head, EntriesSource(entries), block).hash == block.hash
        fold(entries, block)
        head = block.head


@given(value=values)
def test_page_and_code_have_the_same_canonical_json(verifier: Any, value: Any) -> None:
    data = encode(value)
    read = json.loads(data, parse_float=verifier.Fraction)
    assert verifier.canonical(read).encode() == data


@pytest.mark.parametrize("struct", [Header, Body, MessageRecord, ActionRecord, Mark, Event])
def test_the_page_names_every_field(struct: type[msgspec.Struct]) -> None:
    missing = [
        name
        for name in struct.__struct_fields__
        if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE.split("## Vectors")[0]
    ]
    assert missing == []


# -- the golden file -------------------------------------------------------------------------------


def golden_head() -> Head:
    head = GOLDEN["head"]
    return Head(
        **{
            **head,
            "total": int(head["total"], 16),
            "marks": msgspec.convert(head["marks"], tuple[Mark, ...]),
        }
    )


def golden_block() -> Block:
    block = GOLDEN["block"]
    return block_of(block["header"], block["payload"], int(block["total"], 16))


def golden_entries() -> dict[str, Canonical]:
    return {key: value.encode() for key, value in GOLDEN["entries"].items()}


def test_the_golden_block_still_hashes_and_follows_its_parent() -> None:
    assert golden_block().hash == GOLDEN["block"]["hash"]
    check_link(golden_head(), golden_block())


def test_the_golden_block_still_leads_from_state_to_state() -> None:
    entries = golden_entries()
    assert digest.digest_of(digest.sum_of(entries.items())) == golden_head().digest
    fold(entries, golden_block())
    assert digest.sum_of(entries.items()) == golden_block().total


def test_the_golden_block_is_still_what_executing_it_gives() -> None:
    source = EntriesSource(golden_entries())
    again = reexecute(Cells(), golden_head(), source, golden_block())
    assert again.payload == golden_block().payload
    assert again.hash == GOLDEN["block"]["hash"]


def test_the_golden_block_still_reads() -> None:
    body = golden_block().body
    found: Sequence[ActionRecord] = [record for _, _, record in body.actions]
    assert [record.outcome for record in found] == [
        "applied",
        "rejected",
        "failed",
        "failed",
        "malformed",
        "malformed",
        "applied",
    ]
    assert {record.outcome for record in found} == set(OUTCOMES)
    assert [record.environment for record in found].count(True) == 1
    assert body.messages[1].action_id(0) == "mine"
    assert body.messages[2].action_id(0) == f"{body.messages[2].id}/0"
    assert body.changes["gone"] is None
    assert body.changes["a"] == b"[1,2.5,1e-6]"
    assert [event.action for event in body.events] == [1000, 1006]
    assert [mark.next for mark in body.marks] == [3, None]
