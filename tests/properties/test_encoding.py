"""Canonical bytes and the digest, for any value."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain import digest
from blockfold.domain.action import Action, parse
from blockfold.domain.canonical import Canonical, decode, encode, normalise
from tests.strategies import keys, names, numbers, values

contents = st.dictionaries(keys, values.map(encode))


@given(values)
def test_what_is_decoded_encodes_to_the_same_bytes(value: Any) -> None:
    data = encode(value)
    assert encode(decode(data)) == data
    assert decode(data) == normalise(value)


@given(values)
def test_the_bytes_are_json_of_an_equal_value(value: Any) -> None:
    assert json.loads(encode(value)) == normalise(value)
    assert json.loads(encode(value), parse_int=float) == json.loads(
        json.dumps(value), parse_int=float
    )


@given(st.dictionaries(names, values, max_size=5), st.randoms())
def test_the_order_of_keys_and_the_kind_of_sequence_do_not_matter(
    value: dict[str, Any], random: Any
) -> None:
    shuffled = list(value.items())
    random.shuffle(shuffled)
    assert encode(dict(shuffled)) == encode(value)
    assert encode(tuple(value.values())) == encode(list(value.values()))


@given(numbers, numbers)
def test_numbers_have_the_same_bytes_just_when_they_are_equal(one: Any, other: Any) -> None:
    assert (encode(one) == encode(other)) == (normalise(one) == normalise(other))


@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) >= 1e-130))
def test_a_fraction_is_the_shortest_decimal_in_the_documented_form(value: float) -> None:
    if value.is_integer():
        return
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    power = exponent + len(text) - 1
    if power < -5:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        expected = "-" * sign + f"{mantissa}e{power}"
    else:
        expected = format(Decimal(repr(value)), "f")
    assert encode(value) == expected.encode()


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_is_an_integer(value: int) -> None:
    assert encode(float(value)) == encode(value) == str(value).encode()
    assert math.copysign(1, decode(encode(-0.0))) == 1  # type: ignore[arg-type]


@given(st.lists(st.dictionaries(names, values, max_size=3), min_size=1, max_size=4))
def test_a_message_carries_any_arguments_through(arguments: list[dict[str, Any]]) -> None:
    body = json.dumps([{"type": "t", "args": args} for args in arguments])
    assert parse(body) == [Action("t", encode(args)) for args in arguments]


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_is_some_action_or_malformed_that_has_bytes(body: str) -> None:
    found = parse(body)
    assert found
    assert all(json.dumps(str(each)).encode() for each in found)
    for each in found:
        (each.type if isinstance(each, Action) else each.raw + each.reason).encode()


@given(st.lists(st.tuples(keys, st.none() | values.map(encode)), max_size=12))
def test_the_sum_kept_step_by_step_is_the_sum_from_scratch(
    writes: list[tuple[str, Canonical | None]],
) -> None:
    entries: dict[str, Canonical] = {}
    total = digest.EMPTY
    for key, value in writes:
        total = digest.replace(total, key, entries.get(key), value)
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
        assert total == digest.sum_of(entries.items())


@given(contents, contents, st.randoms())
def test_the_digest_tells_states_apart_and_knows_no_order(
    one: dict[str, Canonical], other: dict[str, Canonical], random: Any
) -> None:
    shuffled = list(one.items())
    random.shuffle(shuffled)
    assert digest.sum_of(shuffled) == digest.sum_of(one.items())
    same = digest.digest_of(digest.sum_of(one.items())) == digest.digest_of(
        digest.sum_of(other.items())
    )
    assert same == (one == other)
