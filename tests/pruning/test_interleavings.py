"""Every place at which a dump and a pruner can be suspended beside each other, one after the other.

Each scenario is run for all pairs of calls: the one stands still after so many of its calls, and
the other after so many of its own. At every moment every manifest reads whole; at the end what is
right in any other case is right (`World.assert_right`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from blockfold.domain.keys import manifest_key
from blockfold.domain.retention import Retention
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import DAY, HOUR, PruneStack
from tests.pruning.world import World

STRIDE = 1 if os.environ.get("BLOCKFOLD_SOAK") else 2
"""Every second pair, in a chequered pattern; all of them in a soak."""


def old_world() -> World:
    """Fourteen blocks with snapshots of 4, 8 and 12, of which the last will stay: all a day old."""
    world = World(Retention(snapshots=1))
    world.stack.dumper().sweep(deadline=NEVER)
    world.stack.pass_time(DAY + HOUR)
    return world


def beside(world: World, dumped: int, pruned: int) -> None:
    """The dump ends first, on what the pruner has left of its base."""
    dump = world.start("dump", 9)
    dump.step(dumped)
    prune = world.start("prune", 1)
    prune.step(pruned)
    dump.finish()
    world.check()


def hours_between(world: World, dumped: int, pruned: int) -> None:
    """The base is removed under the dump, and the pruner comes again before the dump goes on."""
    dump = world.start("dump", 9)
    dump.step(dumped)
    prune = world.start("prune", 1)
    prune.step(pruned)
    world.jump(7 * HOUR)
    world.stack.prune()
    dump.finish()
    world.check()


def killed_between(world: World, dumped: int, pruned: int) -> None:
    """The pruner dies, the next one finishes its work, and only then the dump goes on."""
    dump = world.start("dump", 9)
    dump.step(dumped)
    prune = world.start("prune", 1)
    prune.step(pruned)
    prune.kill()
    world.stack.prune()
    dump.finish()
    world.check()


def left_behind(world: World, dumped: int, pruned: int) -> None:
    """A killed dump left its runs; days later a pruner finds them, and another dump wants them."""
    dump = world.start("dump", 9)
    dump.step(dumped)
    dump.kill()
    world.jump(DAY + 13 * HOUR)
    world.start("prune", 1).step(pruned)
    world.stack.dumper().dump(MACHINE, 10)
    world.check()


def made_anew(world: World, dumped: int, pruned: int) -> None:
    """A pruner stands still while another deletes the same, and a dump makes the same again."""
    world.stack.prune()
    world.stack.pass_time(DAY + HOUR)
    prune = world.start("prune", 1)
    prune.step(pruned)
    world.jump(6 * HOUR)
    world.stack.prune()
    world.start("dump", 7).step(dumped)
    prune.finish()
    world.check()


SCENARIOS = (beside, hours_between, killed_between, left_behind, made_anew)


def pairs() -> Iterator[tuple[int, int]]:
    for dumped in range(14):
        for pruned in range(dumped % STRIDE, 42, STRIDE):
            yield dumped, pruned


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_wherever_both_stand_still(scenario: Callable[[World, int, int], None]) -> None:
    for dumped, pruned in pairs():
        world = old_world()
        scenario(world, dumped, pruned)
        for process in world.processes:
            process.finish()
        world.check()
    world.settle()
    world.assert_right()


def test_the_pairs_reach_the_end_of_both() -> None:
    world = old_world()
    world.stack.prune()
    world.stack.pass_time(DAY + HOUR)
    dumped, pruned = [*pairs()][-1]
    for name, at, most in (("dump", 9, dumped), ("prune", 1, pruned)):
        process = world.start(name, at)
        process.step(most)
        assert process.ended


@pytest.mark.parametrize("calls", range(30))
def test_two_dumps_of_one_block_leave_one_manifest_and_later_no_other_runs(calls: int) -> None:
    """Cut into different runs, hours apart, one of them killed or going on at the end."""
    for killed in (True, False):
        world = World(Retention())
        stack = world.stack
        dump = world.start("dump", 9)
        dump.step(calls)
        world.jump(7 * HOUR)
        stack.part = 200
        manifest, _ = stack.dumper().dump(MACHINE, 10)
        if killed:
            dump.kill()
        world.settle()
        assert stack.snapshots.get(MACHINE, 10) == manifest
        world.assert_right()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("listing", range(3))
def test_a_manifest_that_moves_between_two_listings_is_seen(listing: int, moment: str) -> None:
    world = old_world()
    stack = world.stack
    listed: list[str] = []

    def move_at(prefix: str, when: str) -> None:
        if (len(listed), when) == (listing, moment):
            stack.snapshots.retire(stack.snapshots.open(manifest_key(MACHINE, 8)))
        if when == "after":
            listed.append(prefix)

    class Moving:
        def __getattr__(self, name: str) -> object:
            return getattr(stack.objects, name)

        def list(self, prefix: str) -> object:
            move_at(prefix, "before")
            found = [*stack.objects.list(prefix)]
            move_at(prefix, "after")
            return iter(found)

    objects: object = Moving()
    seen = PruneStack(objects=objects, clock=stack.clock).snapshots.roots(MACHINE)  # type: ignore[arg-type]
    assert len(listed) == 3
    assert any("/000000000008" in key for key in seen)
    assert len({key.split("/")[-1][:12] for key in seen}) == 3
