"""One value, one byte string; and nothing that a store would refuse or change."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec
import pytest

from blockfold.domain.canonical import (
    MAX_VALUE_BYTES,
    Json,
    check_key,
    decode,
    encode,
    encode_value,
    stored_size,
)
from blockfold.domain.errors import LimitExceeded


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Name(str):
    __slots__ = ()


def nested(levels: int) -> object:
    value: object = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, b"1"),
        (-0.0, b"0"),
        (1e3, b"1000"),
        (1e22, b"1" + b"0" * 22),
        (1e23, b"1" + b"0" * 23),
        (10**100, b"1" + b"0" * 100),
        (1e100, b"1" + b"0" * 100),
        (float(2**53 + 2), b"9007199254740994"),
        (2**64, b"18446744073709551616"),
        (-(2**64), b"-18446744073709551616"),
        (10**38 - 1, b"9" * 38),
        ((10**38 - 1) * 10, b"9" * 38 + b"0"),
        (10**125, b"1" + b"0" * 125),
        (0.1, b"0.1"),
        (-0.5, b"-0.5"),
        (0.00001, b"0.00001"),
        (1.5e-6, b"1.5e-6"),
        (1e-7, b"1e-7"),
        (1e-130, b"1e-130"),
        (True, b"true"),
        (None, b"null"),
        ("é\U0001f600", '"é\U0001f600"'.encode()),
        ('"\\\n\x1f/\x7f', b'"\\"\\\\\\n\\u001f/\x7f"'),
        ((1, 2), b"[1,2]"),
        ([], b"[]"),
        ({}, b"{}"),
        ({"b": 1, "a": {"d": 1.0, "c": 2}}, b'{"a":{"c":2,"d":1},"b":1}'),
        ({"\U0001f600": 1, "\uffee": 2}, '{"\uffee":2,"\U0001f600":1}'.encode()),
        (Colour.RED, b'"red"'),
        (Size.LARGE, b"3"),
        ({Colour.RED: Size.LARGE, Name("n"): Name("m")}, b'{"n":"m","red":3}'),
    ],
)
def test_a_value_has_these_bytes(value: object, expected: bytes) -> None:
    assert encode(value) == expected
    assert encode(decode(expected)) == expected


def test_what_is_read_back_is_plain() -> None:
    read = decode(encode({Colour.RED: [Size.LARGE, Name("n")]}))
    assert read == {"red": [3, "n"]}
    assert [type(each) for each in read["red"]] == [int, str]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        1e300,
        10**126,
        -(10**126),
        10**38 + 1,
        int("1" * 39),
        5e-324,
        9.9e-131,
        pytest.param(10**5_000, id="5,001 digits"),
        {1, 2},
        b"bytes",
        bytearray(b"x"),
        datetime(2026, 1, 1, tzinfo=UTC),
        Decimal(1),
        1j,
        object(),
        msgspec.Raw(b"1"),
        {1: "integer key"},
        {None: "null key"},
        {True: "boolean key"},
        "\ud800",
        {"\udfff": 1},
        ["fine", {"deep": float("nan")}],
    ],
)
def test_what_no_store_keeps_is_refused(value: object) -> None:
    with pytest.raises(LimitExceeded):
        encode(value)


def test_28_levels_fit_and_29_do_not() -> None:
    assert decode(encode(nested(28))) == nested(28)
    with pytest.raises(LimitExceeded, match="28 levels"):
        encode(nested(29))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(LimitExceeded, match="nested"):
        encode(loop)


def test_encoding_takes_a_copy() -> None:
    inner = [1]
    data = encode({"x": inner})
    inner.append(2)
    assert data == b'{"x":[1]}'


@pytest.mark.parametrize("key", ["k", "é" * 512, "k" * 1_024, "\U0001f600" * 256, "\x00"])
def test_keys_of_1_to_1024_bytes_fit(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "é" * 512 + "k", "k" * 1_025, "\U0001f600" * 256 + "k", "\ud800", 1, None, b"k"]
)
def test_other_keys_do_not(key: object) -> None:
    with pytest.raises(LimitExceeded):
        check_key(key)


def test_a_key_is_a_plain_string_afterwards() -> None:
    assert type(check_key(Colour.RED)) is str
    assert check_key(Colour.RED) == "red"


def test_the_largest_value_is_350_kilobytes() -> None:
    largest = "x" * (MAX_VALUE_BYTES - 2)
    assert len(encode_value(largest)) == MAX_VALUE_BYTES
    with pytest.raises(LimitExceeded, match="several keys"):
        encode_value(largest + "x")


def test_many_small_numbers_count_as_the_table_counts_them() -> None:
    # As JSON two bytes each; in DynamoDB one for the element and two for the number.
    ones: Json = [1] * (MAX_VALUE_BYTES // 2 - 1_000)
    assert len(encode(ones)) < MAX_VALUE_BYTES < stored_size(ones)
    with pytest.raises(LimitExceeded, match="bytes"):
        encode_value(ones)
    assert encode_value([1] * (MAX_VALUE_BYTES // 3 - 1_000))


def test_text_counts_in_bytes_of_utf8() -> None:
    with pytest.raises(LimitExceeded):
        encode_value("é" * (MAX_VALUE_BYTES // 2))


def test_stored_sizes_follow_the_developer_guide() -> None:
    assert stored_size("é") == 2
    assert stored_size(None) == stored_size(True) == 1
    assert stored_size(12) >= 2
    assert stored_size({"ab": [True, "x"]}) == 3 + 1 + 2 + (3 + 1 + 1 + 1 + 1)


@pytest.mark.parametrize("name", ["", "n" * 65_536])
def test_keys_of_nested_objects_are_attribute_names(name: str) -> None:
    with pytest.raises(LimitExceeded, match=r"1 to 65,535 bytes"):
        encode({"outer": {name: 1}})
    encode({"outer": {"n" * 65_535: 1}})
