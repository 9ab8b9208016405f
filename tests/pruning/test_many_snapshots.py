"""More snapshots than there is time for: all that is safe goes on, and no run goes unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Barrier, Lock
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold.application.collect import Named, look
from blockfold.application.prune import NOT_ALL_READ, OUT_OF_TIME
from blockfold.application.prune_plan import Pruning
from blockfold.application.prune_snapshots import superfluous
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import manifest_key, run_key
from blockfold.domain.retention import DAY as DAY_SECONDS
from blockfold.domain.retention import Retention, Thin, retired
from tests.faults import Faults, Killed
from tests.properties.histories import MACHINE, NEVER
from tests.pruning.stack import DAY, HOUR, PruneStack, aged

NOW = 100 * DAY

EACH = st.sampled_from([HOUR // 1000, DAY_SECONDS])
TIERS = st.builds(Thin, EACH, st.integers(1, 12).map(lambda days: days * DAY_SECONDS))
RETENTIONS = st.builds(
    Retention,
    snapshots=st.integers(1, 8),
    thin=st.lists(TIERS, max_size=2).map(tuple),
)


@st.composite
def histories(draw: st.DrawFn) -> dict[int, int]:
    """Block times of snapshots by their numbers: times never go back."""
    count = draw(st.integers(0, 30))
    some = st.sampled_from([0, HOUR // 2, HOUR, 5 * HOUR, DAY])
    gaps = draw(st.lists(some, min_size=count, max_size=count))
    times, time = {}, NOW - sum(gaps)
    for position, gap in enumerate(gaps):
        time += gap
        times[5 * (position + 1)] = time
    return times


def named(times: dict[int, int], read: Callable[[int], bool], *, whole: bool = False) -> Named:
    known = {number: time for number, time in times.items() if read(number)}
    return Named(times=known, listed=sorted(times), whole=whole)


@given(histories(), RETENTIONS, st.integers(0, 160), st.data())
def test_what_is_in_doubt_stays(
    times: dict[int, int], retention: Retention, head: int, data: st.DataObject
) -> None:
    """Whichever manifests were read: nothing goes that would stay if all had been."""
    numbers = sorted(times)
    missed = data.draw(st.sets(st.sampled_from(numbers), max_size=8)) if numbers else {0}
    read = {*numbers[data.draw(st.integers(0, len(numbers))) :]} - missed
    found = superfluous(named(times, read.__contains__), retention, head, NOW)
    whole = superfluous(named(times, lambda _: True, whole=True), retention, head, NOW)
    assert whole == retired([each for each in times.items() if each[0] <= head], retention, NOW)
    assert found == sorted({*found})
    assert {*found} <= {*whole}


@given(histories(), RETENTIONS, st.integers(0, 31))
def test_of_those_that_were_read_all_go_that_are_not_kept(
    times: dict[int, int], retention: Retention, count: int
) -> None:
    """The newest are read first. Without tiers, or beyond them, nothing older needs to be."""
    read = sorted(times)[-count:] if count else []
    found = superfluous(named(times, read.__contains__), retention, 10**6, NOW)
    whole = retired([*times.items()], retention, NOW)
    if len(read) >= max(1, retention.snapshots or 0):
        assert {*found} >= {*whole} & {*read}
        reach = max((tier.span for tier in retention.thin), default=-1) * 1000
        if NOW - times[read[0]] > reach:
            assert found == whole
    else:
        assert not {*found} - {*read}


@pytest.mark.parametrize("thin", [(), (Thin(DAY_SECONDS, 5 * DAY_SECONDS),)])
def test_one_that_was_not_read_stays_though_older_ones_were(thin: tuple[Thin, ...]) -> None:
    times = {30 - days: NOW - days * DAY for days in range(30)}
    retention = Retention(snapshots=2, thin=thin)
    known = named(times, lambda number: number != 27 and number > 20)
    found = superfluous(known, retention, 30, NOW)
    kept = [each for each in range(1, 31) if each not in found]
    assert kept == ([*range(25, 31)] if thin else [27, 29, 30])


def test_if_all_snapshots_are_kept_none_goes() -> None:
    assert superfluous(named({5: 1, 10: 2}, lambda _: True), Retention(), 10, NOW) == []


# -- looking ---------------------------------------------------------------------------------------


@dataclass
class Watched:
    """A store of snapshots that sees who reads a manifest, and how many do so at once."""

    stack: PruneStack
    enter: Callable[[str], None] = lambda key: None
    opened: list[str] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    most: int = 0
    _now: int = 0
    _lock: Any = field(default_factory=Lock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stack.snapshots, name)

    def open(self, key: str) -> Any:
        with self._lock:
            self.opened.append(key)
            self.threads.add(threading.get_ident())
            self._now += 1
            self.most = max(self.most, self._now)
        self.enter(key)
        try:
            return self.stack.snapshots.open(key)
        finally:
            with self._lock:
                self._now -= 1


def seen(watched: Watched, **options: Any) -> Named:
    store: Any = watched
    return look(store, watched.stack.objects, MACHINE, **options)


def test_manifests_are_read_side_by_side_each_once_and_no_more_than_that() -> None:
    stack = aged(60, 2)
    meeting = Barrier(4)

    def enter(key: str) -> None:
        if key > manifest_key(MACHINE, 52):
            meeting.wait(30)

    watched = Watched(stack, enter)
    found = seen(watched, readers=4)
    assert sorted(watched.opened) == stack.names("snapshots")
    assert (watched.most, len(watched.threads)) == (4, 4)
    alone = seen(Watched(stack), readers=1)
    assert (found.times, found.runs, found.manifests) == (alone.times, alone.runs, alone.manifests)
    assert found.whole
    assert found.listed == [*range(2, 61, 2)]
    assert seen(again := Watched(stack), named=found).whole
    assert again.opened == []


def test_the_newest_are_read_first_for_as_long_as_there_is_time() -> None:
    stack = aged(60, 2)
    left = iter([True] * 7)
    watched = Watched(stack)
    found = seen(watched, readers=1, in_time=lambda: next(left, False))
    assert watched.opened == stack.names("snapshots")[:-8:-1]
    assert not found.whole
    assert [*found.times] == [*range(60, 46, -2)]
    assert found.listed == [*range(2, 61, 2)]


def test_a_damaged_one_among_many_is_told() -> None:
    stack = aged(60, 2)
    stack.objects._objects[manifest_key(MACHINE, 8)] = b"?"
    with pytest.raises(Corrupted, match="nothing is removed"):
        seen(Watched(stack))


def test_those_that_go_away_while_many_are_read_are_looked_for_again() -> None:
    stack = aged(60, 2, snapshots=5)
    pruning, pruned = Lock(), []

    def enter(key: str) -> None:
        with pruning:  # whoever comes meanwhile waits, and finds no manifest any more
            if not pruned:
                pruned.append(stack.prune())

    found = seen(Watched(stack, enter))
    assert len(pruned[0].snapshots) == 25
    assert found.whole
    assert {*found.manifests} >= {*stack.names("snapshots"), *stack.names("retired")}


# -- pruning ---------------------------------------------------------------------------------------


class Slow:
    """A clock in which each manifest that is read takes a second, and nothing else any time."""

    def __init__(self, stack: PruneStack) -> None:
        self.now = stack.clock.now
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


def run(stack: PruneStack, seconds: float, plan: Pruning | None = None) -> Pruning:
    """One run of the pruner; one reader, so that a second is a manifest."""
    clock = Slow(stack)

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(stack.snapshots, name)

        def open(self, key: str) -> Any:
            clock.seconds += 1
            return stack.snapshots.open(key)

    snapshots: Any = Counting()
    pruner = replace(stack.pruner(), snapshots=snapshots, clock=clock, readers=1)
    if plan is not None:
        return pruner.carry_out(plan, deadline=seconds)
    return pruner.prune(MACHINE, deadline=seconds)


def laden(**kept: Any) -> PruneStack:
    """Thirty snapshots, a run that nobody names, superseded segments, blocks that may go."""
    stack = aged(60, 2, **kept)
    stack.merge()
    for first in (1, 21, 41):
        stack.archive.write(stack.log.read(MACHINE, first, first + 9))
    stack.objects.put_new(run_key(MACHINE, "ab" * 32), b"garbage")
    stack.pass_time(2 * DAY)
    return stack


def test_without_time_for_all_manifests_all_but_runs_goes() -> None:
    stack = laden(snapshots=3, blocks=12)
    done = run(stack, 16)
    assert NOT_ALL_READ in done.notes
    assert done.runs == ()
    assert done.snapshots == tuple(range(2, 55, 2))
    assert len(done.segments) >= 3
    assert done.blocks.last == 48
    stack.assert_manifests_read()
    stack.assert_every_state_reads()
    rest = run(stack, NEVER)
    assert run_key(MACHINE, "ab" * 32) in {each.key for each in rest.runs}
    assert rest.notes == ()
    assert stack.verify().ok


@pytest.mark.parametrize(
    "kept",
    [{"snapshots": 3}, {"snapshots": 2, "thin": (Thin(6 * 3_600, 2 * DAY_SECONDS),)}],
    ids=["newest", "thinned"],
)
def test_run_by_run_it_comes_to_what_one_run_without_end_leaves(kept: dict[str, Any]) -> None:
    """Each run has time for a third of the manifests; what it made, the next one need not read."""
    whole, parts = laden(**kept), laden(**kept)
    done = run(whole, NEVER)
    assert done.notes == ()
    gone: list[int] = []
    for _ in range(6):
        part = run(parts, 24)
        gone += part.snapshots
        parts.assert_manifests_read()
    assert sorted(gone) == [*done.snapshots]
    for stack in (whole, parts):
        stack.pass_time(2 * DAY)
        run(stack, NEVER)
        run(stack, NEVER)
    assert parts.taken() == whole.taken()
    assert parts.names("runs") == whole.names("runs")
    assert parts.names("retired") == whole.names("retired") == []


def test_with_time_for_nothing_but_the_look_no_snapshot_is_judged_by_too_few() -> None:
    stack = laden(snapshots=3, thin=(Thin(HOUR // 1000, 30 * DAY_SECONDS),))
    done = run(stack, 4)
    assert done.snapshots == ()
    assert NOT_ALL_READ in done.notes


def test_without_time_for_what_was_named_since_the_plan_no_run_goes() -> None:
    stack = aged(60, 2)
    manifests = {key: stack.objects._objects[key] for key in stack.names("snapshots")[:-1]}
    stack.objects.delete(manifests)
    stack.pass_time(2 * DAY)
    plan = stack.pruner().plan(MACHINE)
    assert len(plan.runs) > 10
    for key, data in manifests.items():
        stack.objects.put_new(key, data)
    done = run(stack, 15, plan)
    assert done.runs == ()
    assert done.notes == (NOT_ALL_READ,)
    stack.assert_manifests_read()
    assert run(stack, NEVER, plan).runs == ()


def test_a_plan_says_what_it_had_no_time_for() -> None:
    stack = laden(snapshots=3)
    clock = Slow(stack)
    plan = replace(stack.pruner(), clock=clock).plan(MACHINE, deadline=0.0)
    assert plan.notes == (NOT_ALL_READ,)
    assert plan.runs == ()
    assert plan.snapshots == ()
    stack.objects.put_new(f"machines/{MACHINE}/log/000000000003-{'cd' * 32}", b"body")
    stack.pass_time(2 * DAY)
    plan = replace(stack.pruner(), clock=clock).plan(MACHINE, deadline=0.0)
    assert plan.notes == (NOT_ALL_READ, OUT_OF_TIME)
    assert plan.bodies == ()


@dataclass
class Threads(Faults):
    """Steps of several threads, each with a position of its own."""

    _lock: Any = field(default_factory=Lock)

    def step(self, name: str, do: Callable[[], Any]) -> Any:
        with self._lock:
            if self.dead:
                raise Killed
            position = len(self.steps)
            self.steps.append(name)
            if position in self.at and self.moment == "before":
                self._strike()
        answer = do()
        if position in self.at and self.moment == "after":
            with self._lock:
                self._strike()
        return answer


@settings(max_examples=10)
@given(st.integers(0, 312), st.sampled_from(["before", "after"]))
def test_killed_anywhere_while_threads_work_then_run_again(position: int, moment: Any) -> None:
    stack = laden(snapshots=3, blocks=12)
    with suppress(Killed):
        stack.pruner(Threads({position}, moment)).prune(MACHINE, deadline=NEVER)
    stack.assert_manifests_read()
    stack.assert_every_state_reads()
    stack.prune()
    assert stack.taken() == [56, 58, 60]
    for _ in range(2):
        stack.pass_time(2 * DAY)
        stack.prune()
    assert stack.prune().empty
    assert stack.names("retired") == []
    stack.assert_manifests_read()
    stack.assert_every_state_reads()
