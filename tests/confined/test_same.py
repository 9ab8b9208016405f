"""A well-behaved action comes out the same in a process of its own: same block, hash and all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Block, Head, Machine, Message, execute
from blockfold.adapters.confined.runner import Confinement, confined
from blockfold.domain.apply import Runner
from blockfold.domain.replay import EntriesSource, fold
from machines.forest import Forest
from tests import strategies
from tests.confined.rogues import Rogue
from tests.machines_for_tests import Cells, Journal
from tests.strategies import cuts, message, pieces, runs

FEW = max(settings.default.max_examples // 6, 1) if settings.default else 6

trees = st.sampled_from(["t1", "t2", "é", ""])
forest = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("plant"),
            "args": st.fixed_dictionaries(
                {"tree": trees, "species": st.sampled_from(["oak", "palm"])}
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["water", "cut", "fly"]),
            "args": st.fixed_dictionaries({"tree": trees}),
        }
    ),
)
cells = runs.map(lambda args: {"type": "run", "args": args})
notes = strategies.texts.map(lambda text: {"type": "note", "args": {"text": text}})


@pytest.fixture(scope="module")
def confinement() -> Iterator[Confinement]:
    with confined(10.0) as runner:
        yield runner


def log(machine: Machine, batches: Sequence[Sequence[Message]], runner: Runner | None) -> list[str]:
    """The hashes of the blocks that come of these batches."""
    entries: dict[str, bytes] = {}
    head = Head(machine="m")
    hashes: list[str] = []
    for batch in batches:
        block: Block = execute(machine, head, EntriesSource(entries), batch, runner=runner)
        fold(entries, block)
        head = block.head
        hashes.append(block.hash)
    return hashes


def batched(actions: Sequence[dict[str, Any]], lengths: Sequence[int]) -> list[Sequence[Message]]:
    packed = [message(number, part) for number, part in enumerate(pieces(actions, lengths), 1)]
    return pieces(packed, lengths[::-1])


@pytest.mark.parametrize(
    ("machine", "actions"), [(Cells(), cells), (Journal(), notes), (Forest(), forest)]
)
def test_confined_or_not_the_blocks_are_the_same(
    confinement: Confinement, machine: Machine, actions: st.SearchStrategy[dict[str, Any]]
) -> None:
    @settings(max_examples=FEW)
    @given(st.lists(actions, min_size=1, max_size=12), cuts(4))
    def same(asked: list[dict[str, Any]], lengths: list[int]) -> None:
        batches = batched(asked, lengths)
        assert log(machine, batches, confinement) == log(machine, batches, None)

    same()


def test_scans_side_by_side_and_of_many_chunks_see_the_same(confinement: Confinement) -> None:
    entries = {f"k/{number:05}": b"0" if number % 3 else b'"x"' for number in range(1_000)}
    asked = [message(1, [{"type": "look"}, {"type": "count"}, {"type": "look"}])]
    found = [
        execute(Rogue(), Head(machine="m"), EntriesSource(dict(entries)), asked, runner=runner)
        for runner in (confinement, None)
    ]
    assert found[0].outcomes["applied"] == 3
    assert found[0].hash == found[1].hash


def test_what_one_action_may_write_is_the_same(confinement: Confinement) -> None:
    for keys, size, outcome in (
        (49_999, 0, "applied"),
        (50_001, 0, "failed"),
        (60, 300_000, "failed"),
    ):
        asked = [message(1, [{"type": "write_much", "args": {"keys": keys, "size": size}}])]
        found = [
            execute(Rogue(), Head(machine="m"), EntriesSource({}), asked, runner=runner)
            for runner in (confinement, None)
        ]
        assert found[0].outcomes[outcome] == 1
        assert found[0].hash == found[1].hash
        assert not found[0].body.messages[0].actions[0].environment
