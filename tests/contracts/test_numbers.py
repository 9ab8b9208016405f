"""Numbers as DynamoDB itself writes them, which the emulators do not."""

from __future__ import annotations

import pytest

from blockfold.adapters.dynamodb.values import from_attribute
from blockfold.domain.canonical import encode


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("1E+4", b"10000"),
        ("1.0", b"1"),
        ("-1.20E+3", b"-1200"),
        ("0E-10", b"0"),
        ("-0", b"0"),
        ("9.9999999999999999999999999999999999999E+125", b"9" * 38 + b"0" * 88),
        ("12345678901234567890123456789012345678", b"12345678901234567890123456789012345678"),
        ("1.2345678901234567890123456789012345678E+37", b"12345678901234567890123456789012345678"),
        ("1E-130", b"1e-130"),
        ("1.5E-7", b"1.5e-7"),
        ("0.1", b"0.1"),
        ("0.30000000000000004", b"0.30000000000000004"),
    ],
)
def test_any_notation_reads_as_the_canonical_number(stored: str, canonical: bytes) -> None:
    assert encode(from_attribute({"N": stored})) == canonical
