"""Other programs read snapshots and exports as they are: DuckDB, on files in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from blockfold.adapters.export_formats import Format, write
from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.dump import Dumper
from blockfold.application.export import Exporter
from blockfold.application.travel import Traveller
from tests.docs.pages import ROOT, snippets
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack, drop, put


@pytest.fixture
def stack() -> Stack:
    """Five players in block 1; in block 2 two of them changed and one is gone."""
    stack = Stack()
    stack.run(*(put(f"player/{i}", {"points": i, "name": f"p{i}"}) for i in range(5)))
    stack.run(put("player/0", {"points": 10, "name": "p0"}), put("x", 1), drop("player/4"))
    return stack


def dumped(stack: Stack, folder: Path, *numbers: int) -> str:
    """The bucket in a folder, with snapshots; the object key of the last one's manifest."""
    snapshots = ObjectSnapshots(FolderObjectStore(folder))
    dumper = Dumper(stack.log, stack.machines, snapshots, stack.clock)
    for number in numbers:
        manifest, _ = dumper.dump(MACHINE, number)
    return manifest.key


def page_query() -> str:
    """The query that the page shows."""
    (found,) = snippets(ROOT / "docs" / "snapshot-format.md", "sql")
    return found.text


@pytest.mark.parametrize("numbers", [(1,), (2,), (1, 2)])
def test_the_query_of_the_page_gives_the_state(
    stack: Stack, tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    manifest = dumped(stack, tmp_path, *numbers)
    query = page_query().replace("'copy/'", f"'{tmp_path}/'")
    query = query.replace("machines/glade/snapshots/000000000003.json", manifest)
    assert manifest in query
    rows = duckdb.connect().sql(query).fetchall()
    assert {key: json.loads(value) for key, value in rows} == stack.state_at(numbers[-1])
    assert [key for key, _ in rows] == sorted(stack.state_at(numbers[-1]))


def test_a_run_is_read_in_place(stack: Stack, tmp_path: Path) -> None:
    dumped(stack, tmp_path, 1)
    found = (
        duckdb.connect()
        .sql(
            f"""SELECT key, value.name, value.points
        FROM read_json('{tmp_path}/machines/*/runs/*.jsonl.zst', compression = 'zstd',
                       format = 'newline_delimited')
        WHERE value.points >= 3 ORDER BY key"""
        )
        .fetchall()
    )
    assert found == [("player/3", "p3", 3), ("player/4", "p4", 4)]


@pytest.mark.parametrize("format_", [Format.JSONL, Format.PARQUET])
def test_exports_are_read(stack: Stack, tmp_path: Path, format_: Format) -> None:
    found = Exporter(Traveller(stack.log, stack.snapshots)).open(MACHINE, 2)
    path = tmp_path / f"state.{format_.value}"
    with path.open("wb") as stream:
        write(format_, found.head, found.entries, stream)
    json_lines = "format = 'newline_delimited', columns = {key: 'VARCHAR', value: 'JSON'}"
    read = f"read_json('{path}', {json_lines})"
    if format_ is Format.PARQUET:
        read = f"read_parquet('{path}')"
    rows = duckdb.connect().sql(f"SELECT key, value FROM {read}").fetchall()
    assert {key: json.loads(value) for key, value in rows} == stack.state_at(2)
