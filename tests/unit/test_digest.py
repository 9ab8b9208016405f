"""Vectors of the state digest, computed here from the documented preimages."""

from __future__ import annotations

from hashlib import sha256, shake_256

from blockfold.domain import digest


def test_the_empty_state() -> None:
    assert digest.digest_of(digest.EMPTY) == sha256(bytes(256)).hexdigest()
    assert (
        digest.digest_of(digest.EMPTY)
        == "5341e6b2646979a70e57653007a1f310169421ec9bdd9f1a5648f75ade005af1"
    )


def test_an_entry_is_hashed_with_its_key_length_in_front() -> None:
    number = int.from_bytes(shake_256(b"\x00\x00\x00\x02" + "é".encode() + b"[1]").digest(256))
    assert digest.entry_number("é", b"[1]") == number
    assert digest.digest_of(number) == sha256(number.to_bytes(256)).hexdigest()


def test_keys_and_values_do_not_run_together() -> None:
    assert digest.entry_number("a", b"11") != digest.entry_number("a1", b"1")


def test_a_sum_wraps_at_2_to_the_2048() -> None:
    a, b = digest.entry_number("a", b"1"), digest.entry_number("b", b"2")
    total = digest.sum_of([("a", b"1"), ("b", b"2")])
    assert total == (a + b) % 2**2048
    assert digest.replace(digest.EMPTY, "a", b"1", None) == -a % 2**2048
    assert len(digest.to_bytes(digest.replace(digest.EMPTY, "a", b"1", None))) == 256


def test_what_is_remembered_is_the_same_number() -> None:
    digest.forget()
    for value in (b"1", b'"' + b"x" * digest.SMALL_BYTES + b'"'):
        for _ in range(2):
            assert digest.remembered_number("k", value) == digest.entry_number("k", value)
            assert digest.remembered_number("other", value) == digest.entry_number("other", value)
    assert digest._remembered.cache_info().currsize == 2, "only small ones are remembered"


def test_scans_leave_what_is_remembered_alone() -> None:
    """A scan of a large state would push out what an executor will need again."""
    digest.forget()
    entries = [(f"k{number}", b"1") for number in range(10)]
    total = digest.sum_of(entries)
    for key, value in entries:
        total = digest.replace(total, key, value, None)
    assert total == digest.EMPTY
    assert digest._remembered.cache_info().currsize == 0
