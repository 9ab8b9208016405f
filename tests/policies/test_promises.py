"""Freshness is kept whatever becomes of checks, and snapshots by count are what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold.application.checks import BYTES_SECONDS, LONGEST_SECONDS, MOST_AGAIN
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Check
from tests.faults import MOMENTS, Faults
from tests.machines_for_tests import model_step
from tests.policies.world import World
from tests.properties.histories import MACHINE
from tests.snapshots.stack import steps_of

HOUR = 3_600


@dataclass
class Model:
    """What must be dumped by count, and every state: written without the schedule."""

    running: bool
    count: int | None
    policy: dict[str, int] = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    due: set[int] = field(default_factory=set)

    def block(self, number: int) -> None:
        state = self.states[-1]
        for step in steps_of(number):
            state = model_step(state, step["do"], step["key"], step.get("value"))
        self.states.append(state)
        if self.running and self.count and (len(self.states) - 1) % self.count == 0:
            self.due.add(len(self.states) - 1)

    def call(self, name: str, argument: Any) -> None:
        if name == "start":
            self.running = bool(self.count or self.policy)
        elif name == "stop":
            self.running = False
        elif name == "set_count":
            self.count = argument
            self.running = bool(argument) or (self.running and bool(self.policy))
        else:
            both = {**self.policy, **argument}
            if both.get("quiet") is None:
                both["quiet_most"] = None
            self.policy = {name: value for name, value in both.items() if value is not None}
            sets = any(value is not None for value in argument.values())
            left = bool(self.policy or self.count)
            self.running = sets or (self.running and left)


fields = st.fixed_dictionaries(
    {},
    optional={
        "quiet": st.sampled_from([None, 5, 30, 2_000]),
        "quiet_most": st.sampled_from([None, 100_000]),
        "minutes": st.sampled_from([None, 1, 40, 300]),
        "bytes": st.sampled_from([None, 200, 1_500]),
    },
).filter(bool)
fields = fields.filter(lambda given: given.get("quiet") or not given.get("quiet_most"))
policies = fields.map(lambda given: Policy(**given)).map(
    lambda each: each if each.in_force else None
)

faults = st.none() | st.tuples(st.integers(0, 30), st.sampled_from(MOMENTS))
blocks = st.tuples(st.just("blocks"), st.integers(1, 6), st.sampled_from([0, 1, 20, 400]), faults)
waits = st.tuples(st.just("wait"), st.sampled_from([1, 10, 40, 1_000, 10_000]), st.just(0), faults)
fates = st.tuples(
    st.just("fate"), st.sampled_from(["lose", "repeat", "late", "swap"]), st.integers(0, 5), faults
)
calls = st.tuples(st.sampled_from(["start", "stop"]), st.none(), st.none(), st.none()) | st.tuples(
    st.just("set_count"), st.none() | st.integers(1, 5), st.none(), st.none()
)
settings = st.tuples(st.just("set_policy"), fields, st.none(), st.none())
sweeps = st.tuples(st.just("sweep"), st.none(), st.none(), faults)
jumps = st.tuples(st.just("jump"), st.sampled_from([-90_000, 0, 60, 90_000]), st.none(), st.none())
gentle = st.lists(blocks | waits | calls | settings | blocks | waits, max_size=16)
rough = st.lists(
    blocks | waits | calls | settings | fates | sweeps | jumps | blocks | waits, max_size=20
)
Script = Sequence[tuple[str, Any, Any, Any]]


def struck(at: Any) -> Faults:
    return Faults() if at is None else Faults({at[0]}, at[1])


class Play:
    """Plays a script on a world and on the model."""

    def __init__(self, count: int | None, policy: Policy | None, *, kills: bool) -> None:
        self.world = World(schedule=Schedule.new(count, policy))
        given = {} if policy is None else msgspec.to_builtins(policy)
        self.model = Model(bool(count) or policy is not None, count, given)
        self.kills = kills
        self.offset = 0

    def run(self, script: Script) -> None:
        for do, argument, more, at in script:
            if do != "blocks" and not self.world.head():
                continue  # the first action makes the machine
            self.step(do, argument, more, at if self.kills else None)

    def step(self, do: str, argument: Any, more: Any, at: Any) -> None:
        world = self.world
        if do == "blocks":
            for _ in range(argument):
                self.pass_time(more, None)
                self.model.block(world.pushed)
                block = world.block()
                try:
                    world.announce(block, faults=struck(at))
                except BaseException:  # noqa: BLE001 - killed: the stream delivers again
                    world.announce(block)
        elif do == "wait":
            self.pass_time(argument, at)
        elif do == "fate":
            self.fate(argument, more)
        elif do == "sweep":
            world.sweep(struck(at))
        elif do == "jump":
            self.offset = 1000 * argument
            world.move(world.time, self.offset)
        else:
            arguments: dict[str, Any] = {"set_count": [argument]}
            named = argument if do == "set_policy" else {}
            getattr(world.dumper(), do)(MACHINE, *arguments.get(do, []), **named)
            self.model.call(do, argument)

    def pass_time(self, seconds: int, at: Any) -> None:
        """Let time pass; the first delivery of a check meets the fault, if any."""
        world = self.world
        end = world.time + 1000 * seconds
        while (found := world.queue.take(end)) is not None:
            world.move(found[0], self.offset)
            world.check(found[1], struck(at))
            at = None
        world.move(end, self.offset)

    def fate(self, what: str, position: int) -> None:
        waiting = self.world.queue.waiting
        if not waiting:
            return
        at, number, check = waiting[position % len(waiting)]
        if what == "lose":
            waiting.remove((at, number, check))
        elif what == "repeat":
            self.world.queue.put(check, 0)
            self.world.queue.put(check, 50)
        elif what == "late":
            waiting[position % len(waiting)] = (at + 5_000_000, number, check)
        else:
            other = waiting[0]
            waiting[0] = (at, other[1], other[2])
            waiting[position % len(waiting)] = (other[0], number, check)

    def settle(self) -> None:
        """All timers come, none of them for ever."""
        world = self.world
        self.offset = 0
        for _ in range(400):
            if not world.queue.waiting:
                return
            world.deliver(LONGEST_SECONDS)
        raise AssertionError("checks are asked for without an end")

    def assert_counts_and_states(self) -> None:
        """Snapshots by count are exactly those of law 4; all others were called for by policies."""
        world = self.world
        world.dumper().sweep(deadline=1e12)
        assert set(world.taken()) == self.model.due | set(world.made)
        for number in world.taken():
            assert world.entries(number) == self.model.states[number]
        if (record := world.machines.get(MACHINE)) is None:
            return
        assert world.verify().ok
        setting = record.schedule.current
        policy = msgspec.to_builtins(setting.policy) if setting.policy else {}
        assert (setting.running, setting.count, policy) == (
            self.model.running,
            self.model.count,
            self.model.policy,
        )

    def quiet_head(self) -> bool:
        """Whether silence calls for a snapshot of the head."""
        record = self.world.machines.get(MACHINE)
        if record is None or (policy := record.schedule.current.fresh) is None:
            return False
        first = record.schedule.fresh_from
        return policy.quiet is not None and first is not None and self.world.head() >= first


@given(st.none() | st.integers(1, 4), st.none() | policies, gentle)
def test_after_silence_and_all_timers_the_head_has_a_snapshot(
    count: int | None, policy: Policy | None, script: Script
) -> None:
    play = Play(count, policy, kills=True)
    play.run([*script, ("blocks", 1, 0, None)])
    play.settle()
    if play.quiet_head():
        assert play.world.taken()[-1] == play.world.head()
    play.assert_counts_and_states()


@given(st.none() | st.integers(1, 4), st.none() | policies, rough, st.booleans())
def test_whatever_becomes_of_checks_a_sweep_after_silence_makes_it_good(
    count: int | None, policy: Policy | None, script: Script, lost: bool
) -> None:
    play = Play(count, policy, kills=True)
    play.run(script)
    if lost:
        play.world.queue.waiting.clear()
    play.settle()
    play.world.move(play.world.time + 1000 * 2_000)
    if play.world.head():
        play.world.sweep()
        if play.quiet_head():
            assert play.world.taken()[-1] == play.world.head()
    play.assert_counts_and_states()


@given(
    policy=st.builds(
        Policy,
        quiet=st.none() | st.integers(20, 200),
        minutes=st.none() | st.integers(1, 60),
    ).filter(lambda policy: policy.bound is not None),
    count=st.none() | st.integers(1, 50),
    gap=st.integers(1, 19),
    number=st.integers(1, 250),
    lag=st.integers(0, 60),
    events=st.integers(1, 60),
)
def test_under_steady_traffic_no_block_waits_longer_than_the_bound_and_a_check(
    policy: Policy, count: int | None, gap: int, number: int, lag: int, events: int
) -> None:
    """``lag`` is how late the queue delivers, and every so many blocks due ones are dumped late.

    Silence never comes: each gap is shorter.
    """
    world = World(schedule=Schedule.new(count, policy))
    times: list[int] = [0]
    first_look = min(policy.quiet or LONGEST_SECONDS, 60 * (policy.minutes or 15), LONGEST_SECONDS)
    assert policy.bound is not None
    most = 1000 * (policy.bound + first_look + gap + lag)

    def look() -> None:
        newest = max(world.taken(), default=0)
        if newest < world.head():
            assert world.time - times[newest + 1] <= most

    for _ in range(number):
        end = world.time + 1000 * gap
        while (found := world.queue.take(end - 1000 * lag)) is not None:
            world.move(found[0] + 1000 * lag)
            world.check(found[1])
            look()
        world.move(end)
        look()
        world.announce(world.block())
        times.append(world.time)
        if world.head() % events == 0:
            world.dumper().make_due(MACHINE, world.head(), deadline=1e12)


@given(
    size=st.integers(300, 5_000),
    gap=st.integers(0, 5),
    number=st.integers(1, 80),
)
def test_bytes_are_bounded_to_what_comes_until_the_next_check(
    size: int, gap: int, number: int
) -> None:
    world = World(schedule=Schedule.new(None, Policy(bytes=size)))
    sizes = [0]
    for _ in range(number):
        block = world.block()
        world.announce(block)
        sizes.append(len(block.payload))
        world.deliver(gap)
    world.deliver(BYTES_SECONDS)
    assert not world.queue.waiting, "silence calls for nothing: nobody asks again"
    bounds = [0, *world.taken()]
    since = [sum(sizes[one + 1 : two + 1]) for one, two in pairwise(bounds)]
    assert all(each >= size for each in since)
    assert sum(sizes[bounds[-1] + 1 :]) < size
    burst = max(sizes) * (BYTES_SECONDS // max(gap, 1) + 2 if gap else number)
    assert all(each < size + burst for each in since)


@given(
    policy=st.sampled_from([Policy(quiet=5), Policy(quiet=30, quiet_most=60), Policy(minutes=1)]),
    count=st.none() | st.integers(3, 20),
)
def test_a_backlog_of_old_actions_is_no_silence_and_makes_no_more_snapshots_than_the_bound(
    policy: Policy, count: int | None
) -> None:
    """Every block is an hour old when it is made, one a second."""
    world = World(schedule=Schedule.new(count, policy), late=1000 * HOUR)
    for _ in range(200):
        world.announce(world.block())
        world.deliver(1)
    assert policy.bound is not None
    assert len(world.made) <= 2 + 200 // policy.bound
    world.deliver(2 * LONGEST_SECONDS)
    assert not world.queue.waiting
    assert world.taken()[-1] == world.head()


# -- no loops --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "most"),
    [
        (Policy(quiet=30), 1),
        (Policy(quiet=2_000), 3),
        (Policy(quiet=30, bytes=10**9), 2),
        (Policy(minutes=1), 1),
        (Policy(minutes=60), 4),
        (Policy(minutes=60, bytes=10**9), 5),
        (Policy(bytes=10**9), 1),
        (Policy(minutes=500_000), 1 + MOST_AGAIN),
        (Policy(quiet=30_000_000, bytes=10**9), 1 + MOST_AGAIN),
    ],
)
def test_a_block_asks_for_few_checks_and_silence_for_none(policy: Policy, most: int) -> None:
    world = World(schedule=Schedule.new(None, policy))
    world.announce(world.block())
    for _ in range(30):
        world.deliver(LONGEST_SECONDS)
    assert len(world.queue.asked) == most
    assert not world.queue.waiting
    assert MOST_AGAIN + 1 < 16, "Lambda cuts loops there"


def test_a_sweep_sees_silence_when_every_check_is_lost() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=2_000, quiet_most=100_000)))
    world.announce(world.block())
    world.queue.waiting.clear()
    world.deliver(1_999)
    world.sweep()
    assert world.taken() == []
    world.deliver(1)
    world.sweep()
    assert world.taken() == [1]
    world.sweep()
    assert world.made == [1]


def test_what_is_due_later_than_checks_are_put_off_is_made_by_the_sweep() -> None:
    world = World(schedule=Schedule.new(None, Policy(minutes=300)))
    world.announce(world.block())
    for hour in range(1, 6):
        world.deliver(HOUR)
        world.sweep()
        assert world.taken() == ([1] if hour == 5 else [])


def test_a_check_of_an_older_block_does_not_take_traffic_for_silence() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30)))
    world.announce(world.block())
    world.deliver(29)
    world.announce(world.block())
    world.deliver(29)
    assert world.taken() == []
    world.deliver(1)
    assert world.taken() == [2]


def test_checks_of_machines_that_are_gone_off_or_done_do_nothing() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30)))
    world.check(Check("gone", 3, 30))
    world.machines.register("empty", world.schedule)
    world.check(Check("empty", 3, 30))
    world.block()
    world.dumper().stop(MACHINE)
    world.check(Check(MACHINE, 1, 30))
    world.dumper().start(MACHINE)
    assert world.taken() == []
    world.check(Check(MACHINE, 1, 30))
    world.check(Check(MACHINE, 1, 30))
    assert world.taken() == world.made == [1]
    assert world.queue.asked == []
    assert [each.machine for each in world.machines.list()] == ["empty", MACHINE]


def test_a_clock_that_was_ahead_when_a_snapshot_was_made_holds_nothing_up() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30, quiet_most=100)))
    world.announce(world.block())
    world.move(world.time, offset=10**9)
    world.check(Check(MACHINE, 1, 30))
    assert world.taken() == [1]
    world.queue.waiting.clear()
    world.move(world.time)
    for _ in range(15):
        world.announce(world.block())
        world.deliver(10)
    assert world.taken()[:2] == [1, 11]


def test_traffic_asks_for_one_check_a_batch_and_puts_off_none_of_older_blocks() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30, quiet_most=10_000, bytes=10**9)))
    for number in range(50):
        world.announce(world.block(), world.block())
        world.deliver(9)  # a check comes after ten seconds, when there is a younger block
        assert len(world.queue.asked) == number + 1


def test_blocks_of_a_time_without_a_policy_are_not_made_up_for() -> None:
    world = World()
    for _ in range(3):
        world.announce(world.block())
    world.dumper().set_policy(MACHINE, quiet=30, minutes=1, bytes=1)
    world.deliver(HOUR)
    world.sweep()
    assert (world.taken(), world.queue.asked) == ([], [])
    world.dumper().set_policy(MACHINE, quiet=None, bytes=None)
    world.announce(world.block())
    world.deliver(59)
    world.sweep()
    assert world.taken() == [], "what the blocks before it waited does not count"
    world.deliver(1)
    assert world.taken() == [4]


def test_a_check_from_before_a_stop_speaks_for_no_block_after_it() -> None:
    world = World(schedule=Schedule.new(None, Policy(minutes=1)))
    world.announce(world.block())
    world.dumper().stop(MACHINE)
    world.block()
    world.dumper().start(MACHINE)
    world.deliver(50)
    world.announce(world.block())
    world.deliver(10)
    assert world.taken() == []
    world.deliver(50)
    assert world.taken() == [3]


def test_a_snapshot_by_count_spares_a_policy_its_blocks_and_puts_off_no_others() -> None:
    world = World(schedule=Schedule.new(3, Policy(minutes=10)))
    for _ in range(3):
        world.announce(world.block())
    world.dumper().make_due(MACHINE, 3, deadline=1e12)
    world.deliver(500)
    world.announce(world.block())
    world.deliver(100)
    assert world.taken() == [3], "block 4 is young, and the others have a snapshot"
    world.announce(world.block())
    world.announce(world.block())
    world.announce(world.block())
    world.deliver(490)
    world.dumper().make_due(MACHINE, 6, deadline=1e12)  # late: block 7 is 490 seconds old
    world.deliver(109)
    assert world.taken() == [3, 6]
    world.deliver(1)
    assert world.taken() == [3, 6, 7]


def test_a_snapshot_of_now_spares_a_policy_the_head() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30)))
    world.announce(world.block())
    world.dumper().dump_now(MACHINE)
    record = world.machines.get(MACHINE)
    assert record is not None
    assert (record.newest, record.noted) == (1, 0)
    world.announce(world.block())
    world.dumper().dump_now(MACHINE, 1)
    world.deliver(30)
    assert (world.taken(), world.made) == ([1, 2], [2])


def test_restores_are_kept_fresh_like_all_blocks() -> None:
    world = World(schedule=Schedule.new(None, Policy(quiet=30)))
    for _ in range(3):
        world.announce(world.block())
    world.deliver(30)
    world.announce(world.restore(1).block)
    world.deliver(30)
    assert world.taken()[-1] == world.head() == 4
    assert world.entries(4) == world.state_at(1)
