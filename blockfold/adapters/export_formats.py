"""Formats of an export: each writes a state, entry by entry, to a binary stream.

``jsonl``
    ``{"key":…,"value":…}``, a line an entry, as in a run of a snapshot.
``dynamodb-json``
    ``{"Item":{"machine":…,"key":…,"value":…,"block":…}}``, a line an entry: what "Import from
    S3" takes as ``DYNAMODB_JSON``, with the attributes of the State table. ``block`` is the block
    that was exported, not the one that wrote the key.
``parquet``
    Columns ``key`` and ``value`` (JSON text), in row groups; needs pyarrow. The file's metadata
    names machine, block, hash and digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import IO, TypeAlias

import msgspec

from blockfold.adapters.dynamodb.values import to_attribute
from blockfold.domain.block import Head
from blockfold.domain.canonical import Canonical, decode
from blockfold.domain.errors import Misconfigured
from blockfold.domain.manifest import to_line

ROW_GROUP_ROWS = 20_000
ROW_GROUP_BYTES = 16 * 1024 * 1024
"""What a Parquet row group holds at most: it is put together in memory."""

Entries: TypeAlias = Iterable[tuple[str, Canonical]]

_encoder = msgspec.json.Encoder()


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    DYNAMODB_JSON = "dynamodb-json"
    PARQUET = "parquet"


def write(format_: Format, head: Head, entries: Entries, stream: IO[bytes]) -> None:
    """Write a state to a stream.

    Args:
        format_: How.
        head: The block that the state is of.
        entries: Its entries in key order, read once.
        stream: Where to; only its ``write`` is used.

    Raises:
        Misconfigured: A package that the format needs is not installed; nothing was written.
        BlockfoldError: Whatever reading the entries raises; what was written is not complete.
    """
    _WRITERS[format_](head, entries, stream)


def check(format_: Format) -> None:
    """Make sure that a format can be written here.

    Raises:
        Misconfigured: A package that it needs is not installed.
    """
    if format_ is Format.PARQUET:
        _parquet_writer()


def _write_jsonl(_head: Head, entries: Entries, stream: IO[bytes]) -> None:
    for key, value in entries:
        stream.write(to_line(key, value))


def _write_dynamodb_json(head: Head, entries: Entries, stream: IO[bytes]) -> None:
    for key, value in entries:
        item = {
            "machine": {"S": head.machine},
            "key": {"S": key},
            "value": to_attribute(decode(value)),
            "block": {"N": str(head.number)},
        }
        stream.write(_encoder.encode({"Item": item}) + b"\n")


def _write_parquet(head: Head, entries: Entries, stream: IO[bytes]) -> None:
    write_groups = _parquet_writer()
    facts = {
        "blockfold.machine": head.machine,
        "blockfold.number": str(head.number),
        "blockfold.hash": head.hash,
        "blockfold.digest": head.digest,
    }
    write_groups(facts, _groups(iter(entries)), stream)


def _groups(entries: Iterator[tuple[str, Canonical]]) -> Iterator[tuple[list[str], list[str]]]:
    """Keys and values of a row group each."""
    while rows := _some(entries):
        yield [key for key, _ in rows], [value.decode() for _, value in rows]


def _some(entries: Iterator[tuple[str, Canonical]]) -> list[tuple[str, Canonical]]:
    rows: list[tuple[str, Canonical]] = []
    size = 0
    for key, value in islice(entries, ROW_GROUP_ROWS):
        rows.append((key, value))
        size += len(key) + len(value)
        if size >= ROW_GROUP_BYTES:
            break
    return rows


_Groups: TypeAlias = Iterator[tuple[list[str], list[str]]]


def _parquet_writer() -> Callable[[dict[str, str], _Groups, IO[bytes]], None]:
    """What writes row groups to a stream; imports pyarrow, which is optional and large."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional
        from pyarrow import parquet  # noqa: PLC0415 - optional
    except ImportError as error:
        raise Misconfigured(
            f"the format parquet needs pyarrow: {error}", hint="pip install 'blockfold[parquet]'"
        ) from error

    def write_groups(facts: dict[str, str], groups: _Groups, stream: IO[bytes]) -> None:
        text = pa.string()
        fields = [pa.field("key", text, nullable=False), pa.field("value", text, nullable=False)]
        schema = pa.schema(fields, metadata=facts)
        sink = pa.PythonFile(stream, mode="w")
        with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
            for keys, values in groups:
                writer.write_table(pa.table([keys, values], schema=schema))

    return write_groups


_WRITERS: dict[Format, Callable[[Head, Entries, IO[bytes]], None]] = {
    Format.JSONL: _write_jsonl,
    Format.DYNAMODB_JSON: _write_dynamodb_json,
    Format.PARQUET: _write_parquet,
}
