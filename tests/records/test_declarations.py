"""A declaration that cannot work is refused when the class is made, with the way out."""

from __future__ import annotations

from typing import Any

import pytest

from blockfold.domain.errors import DefinitionError
from blockfold.records import Ascending, Descending, Record
from tests.records.samples import empty


class Base(Record):
    """A base for others: no record by itself."""

    id: str
    size: int = 0


class Derived(Base, name="derived", key="id"):
    more: int = 1


def test_a_base_without_a_name_is_no_record() -> None:
    with pytest.raises(DefinitionError, match="Base has no name"):
        Base.of(empty())
    records = Derived.of(empty())
    records.put(Derived(id="a", size=2))
    assert records.get("a") == Derived(id="a", size=2, more=1)


def test_a_class_below_a_record_is_none_by_itself() -> None:
    class Below(Derived):
        pass

    with pytest.raises(DefinitionError, match="Below has no name"):
        Below.of(empty())


def declared(**arguments: Any) -> None:
    class Sample(Record, **arguments):
        id: str
        size: int = 0
        data: bytes = b""
        real: float = 0.0
        maybe: int | None = None
        mixed: int | str = 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "sample"}, "has no key"),
        ({"key": "id"}, "has a key but no name"),
        ({"name": "Sample", "key": "id"}, "'Sample' cannot name a record"),
        ({"name": "a#b", "key": "id"}, "cannot name a record"),
        ({"name": "a.b", "key": "id"}, "cannot name a record"),
        ({"name": "", "key": "id"}, "cannot name a record"),
        ({"name": "s", "key": "ids"}, "has no field 'ids'"),
        ({"name": "s", "key": ("id", "id")}, "twice"),
        ({"name": "s", "key": "data"}, "Sample.data has a type that no key can hold"),
        ({"name": "s", "key": "mixed"}, "Sample.mixed has a type that no key can hold"),
        ({"name": "s", "key": "real"}, "Sample.real cannot stand in the key"),
        ({"name": "s", "key": "maybe"}, "Sample.maybe cannot stand in the key"),
        ({"name": "s", "key": "id", "indexes": {"x": Ascending()}}, "fields to sort by"),
        ({"name": "s", "key": "id", "indexes": {"X#": Ascending("size")}}, "a plain name"),
        ({"name": "s", "key": "id", "indexes": {"x": Ascending("sice")}}, "no field 'sice'"),
        ({"name": "s", "key": "id", "indexes": {"x": Descending("id")}}, "sort id downwards"),
        (
            {"name": "s", "key": "id", "indexes": {"x": Ascending("size", within="data")}},
            "no key can hold",
        ),
    ],
)
def test_what_cannot_work_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError, match=told) as caught:
        declared(**arguments)
    assert caught.value.hint


def test_what_can_work_is_taken() -> None:
    declared(name="s", key="id", indexes={"x": Ascending("maybe", "real", within=("size", "id"))})


def test_a_type_hint_that_is_not_there() -> None:
    with pytest.raises(DefinitionError, match="type hint of Lost cannot be resolved"):

        class Lost(Record, name="lost", key="id"):
            id: Nowhere  # type: ignore[name-defined]  # noqa: F821
