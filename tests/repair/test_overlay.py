"""The contract of `ObjectStore` on an overlay, and that what lies below stays as it is."""

from __future__ import annotations

import pytest

from blockfold.adapters.memory import MemoryObjectStore
from blockfold.adapters.overlay import OverlayObjectStore
from blockfold.ports import ObjectStore
from tests.contracts.object_store_contract import ObjectStoreContract


class TestOverlay(ObjectStoreContract):
    @pytest.fixture
    def objects(self) -> ObjectStore:
        return OverlayObjectStore(MemoryObjectStore(), MemoryObjectStore())


def test_both_are_seen_and_only_the_one_above_changes() -> None:
    below, above = MemoryObjectStore(), MemoryObjectStore()
    for key in ("a/1", "a/2", "b/3"):
        below.put_new(key, b"old")
    both = OverlayObjectStore(below, above)
    assert not both.put_new("a/1", b"new")
    both.replace("a/1", b"new")
    both.delete(["a/2"])
    assert both.put_new("c/4", b"new")
    assert [(each.key, both.get(each.key)) for each in both.list("")] == [
        ("a/1", b"new"),
        ("b/3", b"old"),
        ("c/4", b"new"),
    ]
    assert both.stat("a/2") is None
    assert [*both.folders("")] == ["a", "b", "c"]
    assert both.put_new("a/2", b"again")
    assert both.get("a/2") == b"again"
    assert {each.key: below.get(each.key) for each in below.list("")} == dict.fromkeys(
        ("a/1", "a/2", "b/3"), b"old"
    )
