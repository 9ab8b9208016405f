"""Exports: what is read back is the state, in every format; a file appears whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from blockfold.adapters import export_formats
from blockfold.adapters.dynamodb.values import from_attribute
from blockfold.adapters.export_formats import Format, write
from blockfold.adapters.new_file import new_file
from blockfold.application.export import Export, Exporter, proven
from blockfold.application.travel import Traveller
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical, encode
from blockfold.domain.errors import Corrupted, Misconfigured, Refused, Unavailable
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, put
from tests.strategies import names, values

HEAD = Head(machine="grove/1", number=7)
states = st.dictionaries(names, values, max_size=8)


def written(format_: Format, state: dict[str, Canonical], head: Head = HEAD) -> bytes:
    stream = BytesIO()
    write(format_, head, iter(sorted(state.items())), stream)
    return stream.getvalue()


def lines(data: bytes) -> list[Any]:
    """JSON lines by Python's own parser."""
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def normal(state: dict[str, Any]) -> dict[str, Canonical]:
    return {key: encode(value) for key, value in state.items()}


@given(states)
def test_json_lines_give_the_state_back_in_key_order(state: dict[str, Any]) -> None:
    found = lines(written(Format.JSONL, normal(state)))
    assert [list(each) for each in found] == [["key", "value"]] * len(state)
    assert [each["key"] for each in found] == sorted(state)
    assert {each["key"]: encode(each["value"]) for each in found} == normal(state)


@given(states)
def test_dynamodb_json_gives_the_items_of_the_state_table(state: dict[str, Any]) -> None:
    found = lines(written(Format.DYNAMODB_JSON, normal(state)))
    assert all(each.keys() == {"Item"} for each in found)
    items = [each["Item"] for each in found]
    assert all(item.keys() == {"machine", "key", "value", "block"} for item in items)
    assert all(item["machine"] == {"S": "grove/1"} for item in items)
    assert all(item["block"] == {"N": "7"} for item in items)
    assert [item["key"]["S"] for item in items] == sorted(state)
    back = {item["key"]["S"]: encode(from_attribute(item["value"])) for item in items}
    assert back == normal(state)


@given(states)
def test_parquet_gives_keys_and_json_text(state: dict[str, Any]) -> None:
    table = parquet.read_table(BytesIO(written(Format.PARQUET, normal(state))))
    assert table.column_names == ["key", "value"]
    assert table.column("key").to_pylist() == sorted(state)
    rows = {row["key"]: row["value"].encode() for row in table.to_pylist()}
    assert rows == normal(state)
    assert table.schema.metadata[b"blockfold.machine"] == b"grove/1"
    assert table.schema.metadata[b"blockfold.number"] == b"7"


def test_parquet_is_cut_into_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_formats, "ROW_GROUP_ROWS", 10)
    monkeypatch.setattr(export_formats, "ROW_GROUP_BYTES", 1_000)
    state = {f"k{i:03}": encode("x" * (300 if i >= 90 else 1)) for i in range(100)}
    found = parquet.ParquetFile(BytesIO(written(Format.PARQUET, state)))
    sizes = [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)]
    assert sizes == [10] * 9 + [4, 4, 2]


def test_parquet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for attempt in (lambda: export_formats.check(Format.PARQUET), lambda: written(*NOTHING)):
        with pytest.raises(Misconfigured, match=r"pip install 'blockfold\[parquet\]'"):
            attempt()
    export_formats.check(Format.JSONL)


NOTHING: tuple[Format, dict[str, Canonical]] = (Format.PARQUET, {})


def test_parquet_goes_through_a_pipe(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from blockfold.adapters.export_formats import Format, write\n"
        "from blockfold.domain.block import Head\n"
        "entries = iter([('a', b'1')])\n"
        "write(Format.PARQUET, Head(machine='m'), entries, sys.stdout.buffer)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert parquet.read_table(BytesIO(done.stdout)).to_pylist() == [{"key": "a", "value": "1"}]


# -- the stream ------------------------------------------------------------------------------------


def opened(stack: Stack, number: int) -> Export:
    return Exporter(Traveller(stack.log, stack.snapshots)).open(MACHINE, number)


def test_a_state_that_is_not_the_blocks_is_refused_at_its_end() -> None:
    stack = Stack()
    stack.run(put("a", 1))
    stack.run(put("a", 2))
    found = opened(stack, 2)
    forged = Head(machine=MACHINE, number=2, total=found.head.total + 1, keys=1)
    with pytest.raises(Corrupted, match="has 1 keys and digest") as caught:
        list(proven(forged, found.entries))
    assert "verify" in caught.value.hint


def test_a_damaged_run_is_refused_and_named() -> None:
    stack = Stack()
    stack.run(*(put(f"k{i}", i) for i in range(50)))
    stack.dumper().dump(MACHINE, 1)
    stack.grow(2)
    key = next(stack.objects.list("machines/m/runs/")).key
    data = bytearray(stack.objects._objects[key])
    data[len(data) // 2] ^= 1
    stack.objects._objects[key] = bytes(data)
    with pytest.raises(Corrupted, match=key):
        list(opened(stack, 3).entries)


def test_the_empty_state_can_be_exported() -> None:
    stack = Stack()
    stack.grow(1)
    assert list(opened(stack, 0).entries) == []


def test_what_is_not_changed_since_the_snapshot_is_streamed() -> None:
    stack = Stack(part=1_000)
    stack.run(*(put(f"k{i:04}", "x" * 100) for i in range(500)))
    stack.dumper().dump(MACHINE, 1)
    stack.grow(1)
    asked: list[str] = []

    class Objects:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.objects, name)

        def get(self, key: str) -> bytes | None:
            asked.append(key)
            return stack.objects.get(key)

    objects: Any = Objects()
    entries = opened(Stack(stack.log, objects=objects), 2).entries
    next(entries)
    assert len([key for key in asked if "/runs/" in key]) <= 1
    assert sum(1 for _ in entries) == 501
    assert len([key for key in asked if "/runs/" in key]) > 10


# -- files -----------------------------------------------------------------------------------------


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with new_file(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        (scratch,) = tmp_path.iterdir()
        assert scratch.name.startswith(".out.")
        assert scratch.name.endswith(".partial")
    assert path.read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(Corrupted):
        fill(tmp_path / "out", Corrupted("the rest is damaged"))
    assert list(tmp_path.iterdir()) == []


def fill(path: Path, trouble: Exception) -> None:
    """Write something, and then fail."""
    with new_file(path, force=True) as stream:
        stream.write(b"half")
        raise trouble


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"precious")
    with pytest.raises(Refused, match=r"exists already .*--force"), new_file(path):
        raise AssertionError("must not begin")
    with pytest.raises(Corrupted):
        fill(path, Corrupted("no"))
    assert path.read_bytes() == b"precious"
    with new_file(path, force=True) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def meanwhile() -> None:
        with new_file(path) as stream:
            stream.write(b"mine")
            path.write_bytes(b"theirs")

    with pytest.raises(Refused):
        meanwhile()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "out", tmp_path, Path("/dev/null")):
        for force in (True, False):
            with pytest.raises(Misconfigured), new_file(path, force=force):
                raise AssertionError("must not begin")


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"could not write .*out"):
        fill(tmp_path / "out", OSError(28, "No space left on device"))
    assert list(tmp_path.iterdir()) == []
