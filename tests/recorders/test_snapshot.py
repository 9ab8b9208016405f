"""`Snapshot` as bytes: what comes back is what was given, or an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.domain.errors import Corrupted
from blockfold.recorders import MemoryRecorder, Snapshot
from tests.recorders.playing import Play
from tests.snapshots.stack import put
from tests.strategies import keys, values


def snapshot_of(**entries: object) -> Snapshot:
    play = Play("lab", MemoryRecorder("lab"))
    play.act(*(put(key, value) for key, value in entries.items()))  # type: ignore[arg-type]
    play.recorder.create_snapshot()
    found: Snapshot | None = play.recorder.load_snapshot()
    assert found is not None
    return found


@given(st.dictionaries(keys, values, max_size=5))
def test_it_comes_back(entries: dict[str, object]) -> None:
    given_ = snapshot_of(**entries)
    found = Snapshot.from_bytes(given_.to_bytes())
    assert found == given_
    assert found.block.hash == given_.block.hash
    assert found.state.keys() == entries.keys()
    assert found.to_bytes() == given_.to_bytes()


DATA = snapshot_of(a=1, b="two").to_bytes()


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found(at: int, by: int) -> None:
    changed = bytearray(DATA)
    changed[at] ^= by
    try:
        found = Snapshot.from_bytes(bytes(changed), "kept.json")
    except Corrupted as error:
        assert "kept.json" in error.message  # noqa: PT017 - white space may become other such
    else:
        assert found == Snapshot.from_bytes(DATA)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", DATA[:-5], b"[" * 100_000, b"\xff"])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupted, match="the snapshot is no snapshot"):
        Snapshot.from_bytes(data)


def test_another_format_is_named() -> None:
    with pytest.raises(Corrupted, match="has format 2, this version reads 1"):
        Snapshot.from_bytes(json.dumps({**json.loads(DATA), "format": 2}).encode())
