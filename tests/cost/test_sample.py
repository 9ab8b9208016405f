"""Samples: what is executed, and what it is counted to take."""

from __future__ import annotations

from itertools import islice

import pytest

from blockfold.application.cost import Counts, Shape
from blockfold.domain.errors import Misconfigured
from blockfold.runtime.leaderboard import Leaderboard, scores
from blockfold.runtime.sample import sample
from tests.machines_for_tests import Cells

PLAYERS = 100


def counted(actions: float, *, warm: int = 300, **shape: int) -> Counts:
    made = Shape(actions=actions, **shape)
    return sample(Leaderboard(), islice(scores(PLAYERS), 1_800), made, count=20, warm=warm)


def test_a_warm_executor_reads_nothing() -> None:
    counts = counted(1e7)
    assert counts.actions == counts.messages == counts.invocations == counts.blocks
    executor = counts.executor
    assert executor.log_units == counts.blocks, "a block of one action is below 1 KB"
    assert executor.state_units == executor.machine_units == counts.blocks
    assert executor.read_units <= PLAYERS / 10, "but for the few players that it has not met"
    assert counts.conflicts == counts.released == 0


def test_an_executor_that_nobody_called_for_long_reads_what_it_needs() -> None:
    counts = counted(1_000)
    # The record, the newest block, a look at the table, and the player.
    assert counts.executor.read_units == pytest.approx(4 * counts.invocations, rel=0.01)


def test_packed_messages_take_few_units() -> None:
    loose, packed = counted(1e6), counted(1e6, per_message=50)
    assert packed.executor.log_units / packed.actions <= 0.2 * loose.executor.log_units / (
        loose.actions
    )
    assert packed.executor.write_units / packed.actions < 0.5 * (
        loose.executor.write_units / loose.actions
    )


def test_a_backlog_writes_each_player_once_in_a_while() -> None:
    full, slower = counted(1e9), counted(1e9, per_invocation=9)
    assert full.messages / full.invocations == pytest.approx(9, rel=0.02)
    assert full.released > 0, "the last message comes again until the table is current"
    assert full.executor.state_units / full.actions < 0.5 * (
        slower.executor.state_units / slower.actions
    )


def test_bursts_of_ten_are_no_backlog() -> None:
    """The last message comes again by itself, and the table is brought up."""
    counts = counted(1e6, per_invocation=10)
    assert counts.invocations == pytest.approx(2 * counts.blocks, rel=0.02)
    assert counts.executor.state_units / counts.actions > 0.9


def test_many_executors_read_what_the_others_did() -> None:
    """Nobody sends a machine to the executor that knows it, so each looks before it commits."""
    alone = counted(2e7, machines=1, per_message=10)
    many = counted(2e10, machines=1_000, per_message=10)
    assert alone.conflicts == 0
    assert many.conflicts < 0.1 * many.blocks
    assert many.executor.read_units > 2 * many.blocks > 20 * alone.executor.read_units
    assert many.executor.state_units == pytest.approx(
        alone.executor.state_units * many.blocks / alone.blocks, rel=0.1
    ), "nobody writes again what another one wrote"


def test_snapshots_and_the_archive_are_made() -> None:
    counts = counted(1e7)
    assert counts.snapshots == counts.blocks // counts.step > 0
    assert counts.dumper.puts >= 2 * counts.snapshots, "a run and a manifest each"
    assert counts.snapshot_bytes > 0
    assert 0 < counts.archive_bytes < counts.block_bytes
    assert 0.9 * PLAYERS < counts.rows <= PLAYERS
    assert counts.events == counts.blocks
    assert counts.sweep.calls > 0 < counts.prune.puts
    assert counts.read.read_units == 3, "the record, the row, the head"


def test_without_snapshots() -> None:
    counts = sample(Leaderboard(), islice(scores(), 100), Shape(actions=1e6), count=0)
    assert counts.snapshots == counts.dumper.puts == 0


def test_the_same_sample_gives_the_same_counts() -> None:
    assert counted(1e6, machines=50) == counted(1e6, machines=50)


def test_few_actions_are_a_sample_too() -> None:
    action = '{"type": "run", "args": {"steps": [{"do": "set", "key": "a", "value": 1}]}}'
    counts = sample(Cells(), [action] * 3, Shape(actions=1e6, per_message=2))
    assert (counts.actions, counts.messages, counts.blocks) == (3, 2, 2)
    assert counts.events == 2 + 3, "each block, and what its reducers emitted"


def test_no_actions_are_none() -> None:
    with pytest.raises(Misconfigured, match="no actions"):
        sample(Cells(), [], Shape(actions=1e6))
