"""Dumps, restores, forks, executors, merges and pruners beside each other, in any order (laws 6-8).

Whatever is frozen or killed between two calls, and however time jumps: at every moment every
manifest reads whole, at the end state(h) is right for every h, and two days and two prunes later
nothing is left that nobody names.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold.domain.retention import Retention
from tests.pruning.stack import DAY, HOUR, MINUTE
from tests.pruning.world import WORKS, World

EXAMPLES = 3_000 if os.environ.get("BLOCKFOLD_SOAK") else 100

numbers = st.integers(0, 40)
events = st.one_of(
    st.tuples(st.just("start"), st.sampled_from(sorted(WORKS)), numbers),
    st.tuples(st.just("start"), st.sampled_from(["dump", "prune", "prune again"]), numbers),
    st.tuples(st.just("step"), numbers, st.sampled_from([1, 2, 3, 5, 8])),
    st.tuples(st.just("finish"), numbers),
    st.tuples(st.just("kill"), numbers),
    st.tuples(st.just("grow"), numbers),
    st.tuples(st.just("jump"), st.sampled_from([MINUTE, HOUR, 7 * HOUR, 7 * HOUR, DAY, 2 * DAY])),
)
retentions = st.builds(
    Retention,
    snapshots=st.sampled_from([1, 2]),
    blocks=st.sampled_from([None, 1, 11]),
)


@settings(max_examples=EXAMPLES)
@given(retentions, st.lists(events, min_size=5, max_size=60))
def test_nobody_loses_anything(retention: Retention, script: list[tuple[Any, ...]]) -> None:
    world = World(retention)
    for verb, *arguments in script:
        getattr(world, verb)(*arguments)
        world.check()
    world.settle()
    world.assert_right()
