"""What every `StateTable` must do."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockfold.domain.canonical import Json, decode, encode, encode_value
from blockfold.domain.spans import FIRST, LAST
from blockfold.ports import Row, StateTable, Write
from tests.contracts.samples import new_machine, noise
from tests.contracts.values import EDGES, KEYS, ODD_KEYS, VALUES

ONE, TWO, THREE = encode("one"), encode(["two"]), encode({"three": 3})


def rows_of(table: StateTable, machine: str, prefix: str = "") -> list[Row]:
    return list(table.scan(machine, prefix))


class StateTableContract:
    """Subclasses give the fixture ``table``."""

    def test_a_key_never_written_has_no_row(self, table: StateTable) -> None:
        machine = new_machine()
        assert table.get(machine, ["k"]) == {}
        assert table.get(machine, []) == {}
        assert rows_of(table, machine) == []
        table.write(machine, [])
        assert rows_of(table, machine) == []

    @pytest.mark.parametrize("new", [False, True])
    def test_a_write_is_read_back_with_its_block(self, table: StateTable, new: bool) -> None:
        machine = new_machine()
        table.write(machine, [Write("k", ONE, 7, new)])
        assert table.get(machine, ["k", "other"]) == {"k": Row("k", ONE, 7)}
        assert rows_of(table, machine) == [Row("k", ONE, 7)]

    @pytest.mark.parametrize("new", [False, True])
    @pytest.mark.parametrize("value", [TWO, None])
    @pytest.mark.parametrize("before", [ONE, None])
    def test_a_later_block_overwrites_whatever_the_hint_says(
        self, table: StateTable, before: bytes | None, value: bytes | None, new: bool
    ) -> None:
        machine = new_machine()
        table.write(machine, [Write("k", before, 3)])
        table.write(machine, [Write("k", value, 4, new)])
        assert table.get(machine, ["k"]) == {"k": Row("k", value, 4)}

    @pytest.mark.parametrize("new", [False, True])
    @pytest.mark.parametrize("block", [1, 2, 3])
    @pytest.mark.parametrize("value", [TWO, None])
    @pytest.mark.parametrize("before", [ONE, None])
    def test_the_same_or_an_earlier_block_is_fenced_off(
        self, table: StateTable, before: bytes | None, value: bytes | None, block: int, new: bool
    ) -> None:
        """A delayed writer can neither overwrite a value nor raise a key from the dead."""
        machine = new_machine()
        table.write(machine, [Write("k", before, 3)])
        table.write(machine, [Write("k", value, block, new)])
        assert table.get(machine, ["k"]) == {"k": Row("k", before, 3)}

    def test_block_numbers_are_compared_as_numbers(self, table: StateTable) -> None:
        machine = new_machine()
        table.write(machine, [Write("k", ONE, 9)])
        table.write(machine, [Write("k", TWO, 10)])
        table.write(machine, [Write("k", THREE, 9)])
        assert table.get(machine, ["k"]) == {"k": Row("k", TWO, 10)}

    @pytest.mark.parametrize("new", [False, True])
    def test_deleting_a_key_never_stored_leaves_a_tombstone(
        self, table: StateTable, new: bool
    ) -> None:
        machine = new_machine()
        table.write(machine, [Write("k", None, 5, new)])
        table.write(machine, [Write("k", ONE, 4, new)])
        assert table.get(machine, ["k"]) == {"k": Row("k", None, 5)}
        assert rows_of(table, machine) == [Row("k", None, 5)]

    def test_a_deleted_key_can_be_created_again(self, table: StateTable) -> None:
        machine = new_machine()
        for block, value in enumerate([ONE, None, TWO, None, None, THREE], start=1):
            table.write(machine, [Write("k", value, block)])
            assert table.get(machine, ["k"]) == {"k": Row("k", value, block)}

    def test_machines_do_not_mix(self, table: StateTable) -> None:
        one, two = new_machine(), new_machine()
        table.write(one, [Write("k", ONE, 1)])
        table.write(two, [Write("k", TWO, 2)])
        assert table.get(one, ["k"]) == {"k": Row("k", ONE, 1)}
        assert rows_of(table, two) == [Row("k", TWO, 2)]

    def test_hundreds_of_writes_some_stored_some_new_some_fenced(self, table: StateTable) -> None:
        """More than one batch of writes and of reads, with right and wrong hints mixed."""
        machine, random = new_machine(), Random(1)
        names = [f"k{number:04d}" for number in range(260)]
        old = {name: random.choice([1, 5, 9]) for name in random.sample(names, 170)}
        table.write(machine, [Write(name, encode(name), block) for name, block in old.items()])
        table.write(
            machine,
            [Write(name, random.choice([TWO, None]), 5, random.random() < 0.5) for name in names],
        )
        found = table.get(machine, names)
        assert set(found) == set(names)
        for name, row in found.items():
            kept = old.get(name, 0) >= 5
            assert row.block == (old[name] if kept else 5)
            assert (row.value == encode(name)) == kept
        assert rows_of(table, machine) == [found[name] for name in names]

    def test_writing_everything_again_changes_nothing(self, table: StateTable) -> None:
        machine = new_machine()
        writes = [Write(f"k{n}", ONE if n % 3 else None, n + 1, n % 2 == 0) for n in range(60)]
        table.write(machine, writes)
        before = rows_of(table, machine)
        table.write(machine, writes[::-1])
        assert rows_of(table, machine) == before

    def test_a_scan_is_in_key_order_and_held_to_its_prefix(self, table: StateTable) -> None:
        machine = new_machine()
        names = ["a", "a/", "a/1", "a/10", "a/2", "a/ä", "a0", "b", "é", "\uffff", "😀"]
        table.write(machine, [Write(name, ONE, 1) for name in reversed(names)])
        assert [row.key for row in rows_of(table, machine)] == sorted(names)
        assert [row.key for row in rows_of(table, machine, "a/")] == names[1:6]
        assert [row.key for row in rows_of(table, machine, "a/1")] == ["a/1", "a/10"]
        assert [row.key for row in rows_of(table, machine, "😀")] == ["😀"]
        assert rows_of(table, machine, "c") == []

    def test_rows_between_two_keys(self, table: StateTable) -> None:
        machine = new_machine()
        names = ["a", "a/", "a/1", "a/10", "a/2", "b", "é", "\uffff", "😀", LAST]
        writes = [Write(name, None if name == "b" else ONE, 1) for name in reversed(names)]
        table.write(machine, writes)
        every = rows_of(table, machine)
        assert [row.key for row in every] == names
        for after in (FIRST, "A", *names):
            for upto in ("A", *names):
                wanted = [row for row in every if after < row.key <= upto]
                if after < upto:
                    assert list(table.between(machine, after, upto)) == wanted
        assert list(table.between(new_machine(), FIRST, LAST)) == []

    def test_more_than_a_megabyte_between_two_keys(self, table: StateTable) -> None:
        machine = new_machine()
        rows = [Row(f"p/{n:03d}", encode(noise(20_000, n)), 1) for n in range(80)]
        table.write(machine, [Write(row.key, row.value, 1) for row in rows])
        assert list(table.between(machine, "p/002", "p/077")) == rows[3:78]

    def test_more_than_a_megabyte_scans_in_order(self, table: StateTable) -> None:
        machine = new_machine()
        wanted = [Row(f"p/{n:03d}", encode(noise(20_000, n)), 1) for n in range(80)]
        others = [Write("o", ONE, 1), Write("q", ONE, 1)]
        table.write(machine, [*(Write(row.key, row.value, 1) for row in wanted), *others])
        assert rows_of(table, machine, "p/") == wanted
        assert [row.key for row in rows_of(table, machine)] == ["o", *(r.key for r in wanted), "q"]
        assert table.get(machine, [row.key for row in wanted]) == {row.key: row for row in wanted}

    @pytest.mark.parametrize("name", [*EDGES])
    @pytest.mark.parametrize("new", [False, True])
    def test_values_at_the_limits_come_back_to_the_byte(
        self, table: StateTable, name: str, new: bool
    ) -> None:
        machine, data = new_machine(), encode_value(EDGES[name])
        table.write(machine, [Write("k", ONE, 1), Write("n", data, 2, new)])
        table.write(machine, [Write("k", data, 2, new)])
        assert table.get(machine, ["k", "n"]) == {
            "k": Row("k", data, 2),
            "n": Row("n", data, 2),
        }
        assert [row.value for row in rows_of(table, machine)] == [data, data]

    def test_odd_keys_are_kept_apart(self, table: StateTable) -> None:
        machine = new_machine()
        table.write(machine, [Write(key, encode(key), 1) for key in ODD_KEYS])
        found = table.get(machine, ODD_KEYS)
        assert {key: decode(row.value or b"null") for key, row in found.items()} == {
            key: key for key in ODD_KEYS
        }
        assert [row.key for row in rows_of(table, machine)] == sorted(ODD_KEYS)

    @given(entries=st.dictionaries(KEYS, st.tuples(VALUES, st.booleans()), max_size=30))
    @settings(suppress_health_check=[*HealthCheck])  # one contract, several stores, some slow
    def test_any_value_under_any_key_comes_back_to_the_byte(
        self, table: StateTable, entries: dict[str, tuple[Json, bool]]
    ) -> None:
        machine = new_machine()
        wanted = {key: Row(key, encode_value(value), 1) for key, (value, _) in entries.items()}
        table.write(
            machine, [Write(key, row.value, 1, entries[key][1]) for key, row in wanted.items()]
        )
        assert table.get(machine, list(wanted)) == wanted
        assert rows_of(table, machine) == [wanted[key] for key in sorted(wanted)]
