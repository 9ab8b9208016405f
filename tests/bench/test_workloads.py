"""The workloads are what the page says, and the same each time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import islice

import pytest

from bench import forest, httpx, leaderboard
from bench.contenders import part
from bench.ours import BATCH, feed
from bench.workload import Workload, messages
from blockfold import Head, Message, execute
from blockfold.bootstrap import load_machine
from blockfold.domain.replay import EntriesSource, fold

WORKLOADS = {
    "leaderboard": partial(leaderboard.workload, 1_000),
    "forest": forest.workload,
    "httpx": httpx.workload,
}


@pytest.mark.parametrize("make", WORKLOADS.values(), ids=WORKLOADS)
def test_every_action_is_applied(make: Callable[[], Workload]) -> None:
    workload = make()
    assert make() == workload
    machine, head, entries = load_machine(workload.machine)(), Head(machine="m"), {}
    todo = messages(list(workload.bodies(500)))
    assert len({each.id for each in todo}) == len(todo)
    for message in todo:
        block = execute(machine, head, EntriesSource(entries), [message])
        assert block.outcomes["applied"] == block.actions
        fold(entries, block)
        head = block.head
    assert head.ordinal == len(workload.steps)


def test_each_player_has_ten_actions_in_random_order() -> None:
    steps = leaderboard.workload().steps
    times = Counter(step.entity for step in steps)
    assert len(steps) == 10_000
    assert len(times) == 1_000
    assert set(times.values()) == {10}
    assert len({step.entity for step in steps[:1000]}) < 750, "in random order"


def test_the_forest_has_up_to_5000_trees() -> None:
    steps = forest.workload().steps
    kinds = Counter(step.type for step in steps)
    assert len(steps) == 10_000
    assert 4_500 < kinds["plant"] <= 5_000
    assert kinds["cut"] > 100


@pytest.mark.parametrize("make", WORKLOADS.values(), ids=WORKLOADS)
def test_a_part_has_all_actions_of_some_entities(make: Callable[[], Workload]) -> None:
    whole = make()
    some = part(whole, 500)
    assert 400 <= len(some.steps) <= 500
    kept = {step.entity for step in some.steps}
    assert some.steps == tuple(step for step in whole.steps if step.entity in kept)


def test_bodies_hold_the_actions_in_order() -> None:
    workload = leaderboard.workload(250, 50)
    packed = [action for body in workload.bodies(100) for action in json.loads(body)]
    single = [json.loads(body) for body in workload.bodies(1)]
    assert packed == single == list(workload.actions())
    assert [len(json.loads(body)) for body in workload.bodies(100)] == [100, 100, 50]


def test_the_feed_hands_over_what_comes_again_first() -> None:
    todo = messages([str(number) for number in range(25)])
    seen: list[list[str]] = []
    done: list[str] = []

    def fold_(batch: list[Message], full: bool) -> list[Message]:
        seen.append([each.body for each in batch])
        assert full is (len(batch) == BATCH)
        # The last of a full batch comes again, as when a flush is deferred.
        kept = batch[:-1] if full else batch
        done.extend(each.body for each in kept)
        return batch[len(kept) :]

    feed(todo, BATCH, fold_)
    assert done == [str(number) for number in range(25)]
    assert seen[1][0] == seen[0][-1] == "9"
    assert list(islice(map(len, seen), 3)) == [10, 10, 7]
