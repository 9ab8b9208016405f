"""Keys of what is deleted one day."""

from __future__ import annotations

import pytest

from blockfold.domain.keys import (
    body_key,
    is_run_key,
    parse_body_key,
    retired_key,
    run_key,
)

HASH = "ab" * 32


def test_a_run_is_named_by_its_hash_and_the_half_day() -> None:
    assert run_key("m", HASH, 41_553) == f"machines/m/runs/{HASH}-41553.jsonl.zst"
    assert run_key("m", HASH) == f"machines/m/runs/{HASH}.jsonl.zst"


@pytest.mark.parametrize("half_day", [None, 0, 41_553])
def test_a_runs_key_is_recognised_with_and_without_the_half_day(half_day: int | None) -> None:
    key = run_key("m", HASH, half_day)
    assert is_run_key(key, HASH)
    assert not is_run_key(key, "cd" * 32)
    assert not is_run_key(key, "")


@pytest.mark.parametrize(
    "name",
    [f"{HASH}-.jsonl.zst", f"{HASH}-x.jsonl.zst", f"{HASH}-1.json", HASH, f"x{HASH}.jsonl.zst"],
)
def test_what_is_no_runs_key_is_not(name: str) -> None:
    assert not is_run_key(f"machines/m/runs/{name}", HASH)


def test_a_removed_manifest_is_named_by_its_block_and_the_time() -> None:
    key = retired_key("a/b", 12, 1_795_356_971_945)
    assert key == "machines/a%2Fb/retired/000000000012-1795356971945.json"


def test_a_bodys_key_tells_number_and_hash() -> None:
    assert parse_body_key(body_key("m", 7, HASH)) == (7, HASH)
    for name in ("notes", "7", "-ab", "x-ab", "7-"):
        assert parse_body_key(f"machines/m/log/{name}") is None
