"""JSON values within the limits: random ones, and those at the edges."""

from __future__ import annotations

from hypothesis import strategies as st

from blockfold.domain.canonical import MAX_DEPTH, MAX_VALUE_BYTES, Json, encode_value
from blockfold.domain.errors import LimitExceeded

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any Unicode but lone surrogates: control characters, null and non-characters included."""

NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.builds(lambda few, zeros: few * 10**zeros, st.integers(-9999, 9999), st.integers(0, 121)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e-130, 1e-100),
)


def within_limits(value: object) -> bool:
    try:
        encode_value(value)
    except LimitExceeded:
        return False
    return True


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXT, inner, max_size=5)),
    max_leaves=25,
).filter(within_limits)

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda key: len(key.encode()) <= 200
)


def nested(levels: int) -> Json:
    """Objects and arrays in turns, that many levels deep."""
    value: Json = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


EDGES: dict[str, Json] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "minus": -1,
    "38 digits": 10**38 - 1,
    "minus 38 digits": -(10**38) + 1,
    "largest": (10**38 - 1) * 10**88,
    "round": 10**125,
    "ten thousand": 10_000,
    "1e22": 10**22,
    "smallest": 1e-130,
    "minus smallest": -1e-130,
    "17 digits": 0.1 + 0.2,
    "tiny digits": 1.2345678901234567e-115,
    "half": 0.5,
    "beyond 2**53": 2**53 + 1,
    "empty text": "",
    "null character": "\0",
    "controls": "\x01\x1f\x7f\x80\ufffe\uffff",
    "line separators": "\u2028\u2029\r\n\t",
    "beyond the BMP": "😀\U0010ffff",
    "combining": "é e\u0301",
    "quotes": "\"'\\/`?",
    "empty array": [],
    "empty object": {},
    "empties": [[], {}, "", [[]], {"a": {}}],
    "attribute names": {"S": "x", "N": "1", "value": 1, "block": 2, "deleted": True},
    "true is not one": [True, 1, False, 0, None],
    "number as text": ["1", "1.0", 1],
    "as deep as it goes": nested(MAX_DEPTH),
    "as long as it goes": "x" * (MAX_VALUE_BYTES - 2),
    "as long as it goes, wide": "😀" * ((MAX_VALUE_BYTES - 2) // 4),
    "many numbers": list(range(30_000)),
}

ODD_KEYS = [
    "a",
    " ",
    "\0",
    "a\0",
    "a/b",
    "a?b=%2F&c#d",
    "'; DROP TABLE state; --",
    '"quoted"',
    "new\nline",
    "ä",
    "a\u0308",
    "\ufeff",
    "\uffff",
    "😀",
    "x" * 1_024,
    "😀" * 256,
    "block",
    "value",
]
