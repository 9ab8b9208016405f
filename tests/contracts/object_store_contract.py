"""What every `ObjectStore` must do."""

from __future__ import annotations

import time

import pytest

from blockfold.domain.keys import body_key
from blockfold.ports import ObjectStore
from tests.contracts.samples import new_machine


class ObjectStoreContract:
    """Subclasses give the fixture ``objects``."""

    @pytest.mark.parametrize("data", [b"", b"\0\xff bytes", bytes(3_000_000)])
    def test_an_object_comes_back_to_the_byte(self, objects: ObjectStore, data: bytes) -> None:
        key = body_key(new_machine(), 1, "ab" * 32)
        assert objects.put_new(key, data)
        assert objects.get(key) == data

    def test_there_is_no_object_that_was_not_stored(self, objects: ObjectStore) -> None:
        assert objects.get(body_key(new_machine(), 1, "ab" * 32)) is None

    def test_a_taken_key_keeps_its_object(self, objects: ObjectStore) -> None:
        key, data = body_key(new_machine(), 1, "ab" * 32), b"first"
        assert objects.put_new(key, data)
        assert not objects.put_new(key, data)
        assert not objects.put_new(key, b"second")
        assert objects.get(key) == data

    def test_keys_with_percent_signs_are_not_decoded(self, objects: ObjectStore) -> None:
        machine = new_machine()
        encoded, plain = f"{machine}/a%2Fb", f"{machine}/a/b"
        assert objects.put_new(encoded, b"encoded")
        assert objects.put_new(plain, b"plain")
        assert objects.get(encoded) == b"encoded"
        assert objects.get(plain) == b"plain"

    def test_keys_are_listed_by_prefix_in_order(self, objects: ObjectStore) -> None:
        prefix = f"list/{new_machine()}/"
        keys = [f"{prefix}{number:012d}" for number in (10, 2, 33)]
        for key in (*keys, f"{prefix[:-1]}0/1"):
            objects.put_new(key, b"x")
        assert names(objects, prefix) == sorted(keys)
        assert names(objects, f"{prefix}none") == []

    def test_more_keys_than_fit_a_page_are_listed(self, objects: ObjectStore) -> None:
        prefix = f"pages/{new_machine()}/"
        keys = [f"{prefix}{number:012d}.json" for number in range(1_030)]
        for key in keys[::-1]:
            objects.put_new(key, b"")
        assert names(objects, prefix) == keys
        assert names(objects, keys[7]) == [keys[7]]

    def test_keys_with_percent_signs_and_letters_of_all_kinds_are_listed_as_they_are(
        self, objects: ObjectStore
    ) -> None:
        prefix = f"names/{new_machine()}/"
        keys = sorted(prefix + name for name in ("a%2Fb", "a+b", "a b", "é", "a&b<c>"))
        for key in keys:
            objects.put_new(key, b"x")
        assert names(objects, prefix) == keys

    def test_a_listing_tells_size_and_age(self, objects: ObjectStore) -> None:
        prefix = f"ages/{new_machine()}/"
        before = now()
        objects.put_new(f"{prefix}a", b"12345")
        objects.put_new(f"{prefix}b", b"")
        listed = list(objects.list(prefix))
        assert [(each.key, each.bytes) for each in listed] == [(f"{prefix}a", 5), (f"{prefix}b", 0)]
        assert all(before - 1000 <= each.modified <= now() + 1000 for each in listed)
        for each in listed:
            found = objects.stat(each.key)
            assert found is not None
            assert (found.key, found.bytes) == (each.key, each.bytes)
            assert abs(found.modified - each.modified) <= 1000  # S3's headers give whole seconds
        assert objects.stat(f"{prefix}c") is None

    def test_folders_are_named_once_in_order(self, objects: ObjectStore) -> None:
        prefix = f"folders/{new_machine()}/"
        for key in ("b%2F1/x", "b%2F1/y/z", "a/x", "é/x", "file"):
            objects.put_new(prefix + key, b"x")
        assert list(objects.folders(prefix)) == ["a", "b%2F1", "é"]
        assert list(objects.folders(f"{prefix}none/")) == []

    def test_a_replaced_object_has_the_new_bytes(self, objects: ObjectStore) -> None:
        key = f"replaced/{new_machine()}"
        objects.replace(key, b"made")
        assert objects.get(key) == b"made"
        objects.replace(key, b"mended")
        assert objects.get(key) == b"mended"
        assert not objects.put_new(key, b"other")

    def test_deleted_objects_are_gone_and_their_keys_free(self, objects: ObjectStore) -> None:
        prefix = f"deleted/{new_machine()}/"
        keys = [f"{prefix}{number:04d}" for number in range(1_010)]
        for key in keys:
            objects.put_new(key, b"x")
        objects.delete([*keys[1:], f"{prefix}never"])
        assert names(objects, prefix) == keys[:1]
        assert objects.get(keys[1]) is None
        assert objects.put_new(keys[1], b"again")
        objects.delete([])


def names(objects: ObjectStore, prefix: str) -> list[str]:
    return [each.key for each in objects.list(prefix)]


def now() -> int:
    return time.time_ns() // 1_000_000
