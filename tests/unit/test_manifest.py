"""Manifests and the lines of runs: what is written reads back, and nothing else is taken."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain import digest
from blockfold.domain.canonical import encode
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key, run_key
from blockfold.domain.manifest import Manifest, Run, from_lines, to_line
from tests.strategies import texts, values

NAME = "machines/m/snapshots/000000000025.json"
TOTAL = digest.sum_of([("a", b"1"), ("b", b"2")])
MANIFEST = Manifest(
    machine="m",
    number=25,
    hash="ab" * 32,
    digest=digest.digest_of(TOTAL),
    sum=digest.to_bytes(TOTAL).hex(),
    rows=2,
    runs=(
        Run(
            key=run_key("m", "cd" * 32),
            sha256="cd" * 32,
            rows=1,
            bytes=30,
            first="a",
            last="a",
            generation=0,
        ),
        Run(
            key=run_key("m", "ef" * 32),
            sha256="ef" * 32,
            rows=1,
            bytes=31,
            first="b",
            last="b",
            generation=0,
        ),
    ),
    time=1_700_000_000_000,
    code="Cells/1",
    epoch=0,
    ordinal=77,
)


def changed(**fields: object) -> bytes:
    """The manifest as stored, with other fields; ... leaves one out."""
    stored: dict[str, Any] = {**json.loads(MANIFEST.to_bytes()), **fields}
    return json.dumps({key: value for key, value in stored.items() if value is not ...}).encode()


def test_a_manifest_comes_back() -> None:
    assert Manifest.from_bytes(MANIFEST.to_bytes(), NAME) == MANIFEST
    assert MANIFEST.total == TOTAL
    assert MANIFEST.size == 61
    assert MANIFEST.key == NAME == manifest_key("m", 25)


def test_the_contracts_fields_stand_in_it_as_plain_json() -> None:
    stored = json.loads(MANIFEST.to_bytes())
    assert {"format", "machine", "number", "hash", "digest", "rows", "runs"} <= set(stored)
    assert stored["format"] == 1
    assert set(stored["runs"][0]) == {
        "key",
        "sha256",
        "rows",
        "bytes",
        "first",
        "last",
        "generation",
    }
    assert MANIFEST.to_bytes().endswith(b"}\n")


@pytest.mark.parametrize("field", sorted(json.loads(MANIFEST.to_bytes())))
def test_no_field_may_be_missing(field: str) -> None:
    with pytest.raises(Corrupted, match=NAME):
        Manifest.from_bytes(changed(**{field: ...}), NAME)


@pytest.mark.parametrize("field", sorted(json.loads(MANIFEST.to_bytes())))
@pytest.mark.parametrize("value", [None, 1.5, {"x": 1}, [1], "zz"])
def test_no_field_may_be_of_another_type(field: str, value: object) -> None:
    if value == "zz" and field in {"machine", "code", "hash"}:
        return
    with pytest.raises(Corrupted, match=NAME):
        Manifest.from_bytes(changed(**{field: value}), NAME)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"25",
        b"\xff\xfe",
        b'{"format":1,"machine":"\xff"}',
        MANIFEST.to_bytes()[:-3],
        MANIFEST.to_bytes() * 2,
        b"[" * 100_000,
    ],
    ids=range(10),
)
def test_what_is_no_manifest_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(Corrupted, match=f"{NAME} is no snapshot manifest"):
        Manifest.from_bytes(data, NAME)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_format_is_refused_with_a_way_out(version: int) -> None:
    with pytest.raises(Corrupted, match=f"format {version}, this version reads 1") as caught:
        Manifest.from_bytes(changed(format=version, runs=..., sum="not hex"), NAME)
    assert "newer version" in caught.value.hint


@pytest.mark.parametrize(
    "total",
    ["00" * 256, "0", "-1", "ff" * 257, MANIFEST.sum[:-1], MANIFEST.sum[:-2] + "zz", ""],
)
def test_a_sum_that_is_not_the_digests_is_refused(total: str) -> None:
    with pytest.raises(Corrupted, match=NAME):
        Manifest.from_bytes(changed(sum=total), NAME)


# -- lines -----------------------------------------------------------------------------------------


def test_lines_are_plain_json() -> None:
    entries = [("a", b"1"), ('b"\n', b'{"x":[null]}'), ("é", b'"\xc3\xa9"')]
    assert [to_line(*entry) for entry in entries] == [
        b'{"key":"a","value":1}\n',
        b'{"key":"b\\"\\n","value":{"x":[null]}}\n',
        '{"key":"é","value":"é"}\n'.encode(),
    ]


@given(st.dictionaries(texts, values.map(encode), max_size=8))
def test_lines_come_back(entries: dict[str, bytes]) -> None:
    ordered = sorted(entries.items())
    lines = [to_line(*entry) for entry in ordered]
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    assert list(from_lines(lines, "run")) == ordered
    assert list(from_lines([line.rstrip(b"\n") for line in lines], "run")) == ordered


def test_a_deleted_key_has_no_value() -> None:
    assert list(from_lines([b'{"key":"a","deleted":true}'], "run")) == [("a", None)]
    assert list(from_lines([b'{"key":"a","value":null}'], "run")) == [("a", b"null")]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([b"\n"], "no entry"),
        ([b"{}"], "no entry"),
        ([b"[1]"], "no entry"),
        ([b'{"key":1,"value":1}'], "no entry"),
        ([b'{"key":"a","value":}'], "no entry"),
        ([b'{"key":"a","value":1} x'], "no entry"),
        ([b'{"key":"\xff","value":1}'], "no entry"),
        ([b'{"key":"a"}'], "needs a value or deleted"),
        ([b'{"key":"a","value":1,"deleted":true}'], "needs a value or deleted"),
        ([b'{"key":"a","deleted":false}'], "needs a value or deleted"),
        ([b'{"key":"b","value":1}', b'{"key":"a","value":1}'], "not sorted"),
        ([b'{"key":"a","value":1}', b'{"key":"a","value":2}'], "not sorted"),
        # UTF-16 would order these two the other way round
        (['{"key":"\U0001f600","value":1}'.encode(), '{"key":"\uffee","value":1}'.encode()], "not"),
    ],
)
def test_lines_that_are_no_sorted_entries_are_refused_by_name(
    lines: list[bytes], what: str
) -> None:
    with pytest.raises(Corrupted, match=what) as caught:
        list(from_lines(lines, "machines/m/runs/x.jsonl.zst"))
    assert "machines/m/runs/x.jsonl.zst" in caught.value.message


def test_a_manifest_is_a_value() -> None:
    assert msgspec.structs.replace(MANIFEST, number=26) != MANIFEST
    assert msgspec.structs.replace(MANIFEST, number=26).key == manifest_key("m", 26)
