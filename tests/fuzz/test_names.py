"""Machine ids and state keys of any characters: in their place, and back as they were."""

from __future__ import annotations

import posixpath
import tempfile
from io import BytesIO
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Head
from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.export_formats import Format, write
from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.memory import MemoryObjectStore
from blockfold.application import import_lines
from blockfold.application.export import Exporter
from blockfold.application.import_state import Importer
from blockfold.application.restore import Target
from blockfold.application.travel import Traveller
from blockfold.domain import keys
from blockfold.domain.canonical import encode
from tests.properties.histories import MACHINE, NEVER
from tests.repair.world import Sorter
from tests.snapshots.stack import Stack, drop, put

HASH = "ab" * 32

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=128) | st.sampled_from(
    [
        *(".", "..", "...", "/", "//", "../x", "a/../../b", "a/b", "%2F", "%2e%2e", "\\..\\x", "~"),
        *(
            " ",
            "\n",
            "\x00",
            "é",
            "e\u0301",
            "machines",
            "machines/m",
            "m/",
            "/m",
            "?x=1",
            "#",
            "&",
        ),
        "x" * 128,
    ]
)

odd = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.sampled_from(
    [
        *("\x00", "\n", "\r\n", "\t", " ", "'", '"', "\\", "\\u0000", "/", "..", "%00", "\x7f"),
        *(
            "\u2028",
            "\u2029",
            "\x85",
            "\ufeff",
            "\ufffe",
            "\U0010ffff",
            "é",
            "e\u0301",
            "{}",
            "[1]",
        ),
        *("x" * 1_024, "é" * 512, "key", "value", "a,b", "=1+1", "\x1b[2J", "NULL", "-", "$ref"),
    ]
)


def all_keys(machine: str) -> list[str]:
    """A key of every kind of object."""
    return [
        keys.body_key(machine, 1, HASH),
        keys.manifest_key(machine, 1),
        keys.pinned_key(machine, 1, HASH),
        keys.retired_key(machine, 1, 2),
        keys.run_key(machine, HASH, 3),
        keys.segment_key(machine, 1, 2, 0, HASH),
        keys.settings_key(machine, 1),
    ]


@given(ids)
def test_no_machine_climbs_out_of_its_folder(machine: str) -> None:
    prefix = keys.machine_prefix(machine)
    top, folder, end = prefix.split("/")
    assert (top, end) == ("machines", "")
    assert folder.strip(".") == folder != ""
    assert keys.machine_of(folder) == machine
    for key in all_keys(machine):
        assert key.startswith(prefix)
        assert posixpath.normpath(key) == key
        assert key.isascii()
        assert key.isprintable()


@given(ids, ids)
def test_no_two_machines_share_a_folder(one: str, other: str) -> None:
    first, second = keys.machine_prefix(one), keys.machine_prefix(other)
    assert (first == second) == (one == other)
    assert one == other or not first.startswith(second)


@settings(max_examples=4)  # each of its files is made durable
@given(st.lists(ids.filter(lambda each: len(each) < 40), min_size=1, max_size=6, unique=True))
def test_a_folder_of_files_keeps_machines_apart_and_inside(machines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderObjectStore(Path(folder) / "in" / "side")
        for machine in machines:
            for key in all_keys(machine):
                assert store.put_new(key, machine.encode())
        assert [each.name for each in Path(folder).iterdir()] == ["in"]
        assert {keys.machine_of(each) for each in store.folders("machines/")} == set(machines)
        for machine in machines:
            found = {each.key for each in store.list(keys.machine_prefix(machine))}
            assert found == set(all_keys(machine))
            assert all(store.get(key) == machine.encode() for key in found)


@given(st.lists(odd, min_size=1, max_size=8, unique=True))
def test_keys_of_any_characters_come_back_from_everywhere(names: list[str]) -> None:
    stack = Stack()
    stack.run(*(put(name, {name: name}) for name in names), put("gone", 1))
    stack.run(*(put(name, [name]) for name in names[::2]), drop("gone"))
    wanted = {name: encode({name: name}) for name in names} | {
        name: encode([name]) for name in names[::2]
    }
    stack.assert_whole()
    assert stack.rows() == wanted
    stack.dumper().dump(MACHINE, 2)
    manifest = stack.snapshots.get(MACHINE, 2)
    assert manifest is not None
    assert dict(stack.snapshots.entries(manifest)) == wanted
    assert all(stack.snapshots.value(manifest, name) == wanted[name] for name in names)

    archive = ObjectArchive(MemoryObjectStore())
    archive.write(stack.blocks())
    read = [block for each in archive.segments(MACHINE) for block in archive.read(each)]
    assert [block.hash for block in read] == [block.hash for block in stack.blocks()]

    stream = BytesIO()
    traveller = Traveller(stack.log, stack.snapshots)
    export = Exporter(traveller).open(MACHINE, 2)
    write(Format.JSONL, Head(machine=MACHINE, number=2), export.entries, stream)
    uploaded = Importer(stack.log, stack.snapshots).upload(
        "moved", import_lines.lines(BytesIO(stream.getvalue())), Sorter()
    )
    target = Target("moved", imported=uploaded.key)
    done = stack.restorer().carry_out(target, deadline=NEVER)
    assert stack.rows("moved") == wanted
    assert done.block.header.digest == stack.blocks()[-1].header.digest
