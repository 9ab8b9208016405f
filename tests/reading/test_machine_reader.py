"""One machine as an application reads it, now and in the past, with and without asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest

from blockfold import Context, Machine, Reject, State, action
from blockfold.application.outcomes import ActionOutcome
from blockfold.client import AsyncMachineReader, MachineReader, StateReader
from blockfold.domain.errors import LimitExceeded, Misconfigured, NotFound, Unavailable
from blockfold.domain.point import AtBlock, AtSnapshot
from blockfold.records import RecordReader
from tests.properties.histories import NEVER
from tests.records.samples import Player
from tests.snapshots.stack import HandClock, Stack
from tests.strategies import SENT, message

T = TypeVar("T")


class Arcade(Machine):
    """Counts points in records, and refuses what is too much."""

    @action
    def score(self, state: State, context: Context, user: str, points: int) -> None:
        players = Player.of(state)
        found = players.get("s1", user) or Player(server="s1", user=user)
        if found.points + points > 100:
            raise Reject("too many points")
        players.put(Player(server="s1", user=user, points=found.points + points))

    @action
    def leave(self, state: State, context: Context, user: str) -> None:
        Player.of(state).delete("s1", user)


@dataclass
class Waiting:
    """A clock that goes on by waiting, and lets others work then."""

    then: list[Callable[[], object]] = field(default_factory=list)
    seconds: float = 0.0
    pauses: int = 0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.pauses += 1
        if self.then:
            self.then.pop(0)()


class World:
    """A stack in memory with one machine on it."""

    def __init__(self) -> None:
        self.stack = Stack()
        self.clock = Waiting()
        self.machine = MachineReader(self.stack.reader(), "m", self.clock)
        self.sent = 0

    def do(self, *actions: dict[str, Any]) -> None:
        """One message, and the block that it makes, an hour after the last one."""
        self.sent += 1
        sent = message(self.sent, actions, sent=SENT + self.sent * 3_600_000)
        self.stack.clock = HandClock(sent.sent)
        executor = self.stack.executor(machine=Arcade())
        assert executor.fold("m", [sent], deadline=NEVER).error is None

    def score(self, user: str, points: int, **more: Any) -> None:
        self.do({"type": "score", "args": {"user": user, "points": points}, **more})


def a_little() -> World:
    world = World()
    world.score("ada", 3, id="first")
    world.score("bob", 5)
    world.score("ada", 200, id="greedy")
    world.do({"type": "leave", "args": {"user": "bob"}}, {"type": "fly"})
    world.stack.dumper().dump("m", 2)
    return world


ADA, BOB = "player#s1#ada", "player#s1#bob"


def users(state: StateReader) -> dict[str, int]:
    return {each.user: each.points for each in Player.of(state).each()}


def test_a_state_is_a_mapping() -> None:
    state = a_little().machine.state()
    assert (state.machine, state.number) == ("m", 4)
    assert dict(state) == {
        ADA: {"points": 3, "level": None, "tags": []},
        "player.top#s1#Z6#ada": True,
    }
    assert list(state) == sorted(state)
    assert len(state) == 2
    assert ADA in state
    assert BOB not in state
    assert 3 not in state
    assert state.get(BOB) is None
    assert state[ADA]["points"] == 3
    with pytest.raises(KeyError):
        state[BOB]
    with pytest.raises(LimitExceeded):
        state.get("")
    with pytest.raises(LimitExceeded):
        state.scan("x" * 2000)
    assert list(state.scan("player.")) == [("player.top#s1#Z6#ada", True)]
    assert list(state.scan(after="player.top#t")) == []
    assert state.get_many([ADA, BOB]) == {ADA: state[ADA]}
    assert "m" in repr(state)
    state[ADA]["points"] = 7
    assert state[ADA]["points"] == 3
    with pytest.raises(TypeError):
        state[ADA] = 1  # type: ignore[index]


def test_entries_and_values_are_read_by_scans_not_key_by_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = a_little().machine.state()
    wanted = dict(state)
    monkeypatch.setattr(StateReader, "__getitem__", None)
    assert dict(state.items()) == wanted
    assert list(state.values()) == list(wanted.values())
    assert True in state.values()
    assert state == wanted


def test_records_of_a_state_can_be_read() -> None:
    players = Player.of(a_little().machine.state())
    assert type(players) is RecordReader
    assert players.get("s1", "ada") == Player(server="s1", user="ada", points=3)
    assert players.get("s1", "bob") is None
    assert [each.user for each in players.top("top", 5, within="s1")] == ["ada"]
    assert players.count("s1") == 1


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (0, 0),
        (2, 2),
        ("2", 2),
        ("snapshot:2", 2),
        (AtBlock(1), 1),
        (AtSnapshot(2), 2),
        (datetime.fromtimestamp(SENT / 1000, UTC) + timedelta(hours=3, minutes=30), 3),
        (
            datetime.fromtimestamp(SENT / 1000, timezone(timedelta(hours=9)))
            + timedelta(hours=1, milliseconds=1),
            1,
        ),
        (None, 4),
    ],
)
def test_any_point_of_the_past(at: Any, number: int) -> None:
    world = a_little()
    state = world.machine.state(at)
    assert state.number == number
    assert (
        users(state)
        == [
            {},
            {"ada": 3},
            {"ada": 3, "bob": 5},
            {"ada": 3, "bob": 5},
            {"ada": 3},
        ][number]
    )
    if number:
        assert state.digest == world.machine.block(number).header.digest
    assert (state.digest == world.machine.state().digest) == (number in (1, 4))


@pytest.mark.parametrize("at", [True, -1, 1.0, "yesterday", datetime(2026, 1, 1), b"1"])  # noqa: DTZ001
def test_what_names_no_point(at: Any) -> None:
    with pytest.raises(Misconfigured):
        a_little().machine.state(at)


def test_what_is_not_there() -> None:
    machine = a_little().machine
    with pytest.raises(NotFound, match="no block 5"):
        machine.state(5)
    with pytest.raises(NotFound, match="no snapshot of block 3"):
        machine.state("snapshot:3")
    with pytest.raises(NotFound, match="no blocks at that time"):
        machine.state(datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(NotFound, match="no block 9"):
        machine.block(9)
    nobody = MachineReader(Stack().reader(), "nobody", Waiting())
    for call in (nobody.head, nobody.state, nobody.blocks, lambda: nobody.outcome("x")):
        with pytest.raises(NotFound, match="no machine 'nobody'"):
            call()
    with pytest.raises(Misconfigured, match="cannot be a machine id"):
        MachineReader(Stack().reader(), "no body", Waiting())


def test_a_state_that_is_held_does_not_move() -> None:
    world = a_little()
    before = world.machine.state()
    world.score("eve", 9)
    world.score("ada", 1)
    assert users(before) == {"ada": 3}
    assert [each.user for each in Player.of(before).top("top", 5, within="s1")] == ["ada"]
    assert users(world.machine.state()) == {"ada": 4, "eve": 9}


def test_head_blocks_and_history() -> None:
    world = a_little()
    machine = world.machine
    assert machine.head().number == 4
    assert [block.number for block in machine.blocks()] == [1, 2, 3, 4]
    assert [block.number for block in machine.blocks(2, 3)] == [2, 3]
    world.stack.restore(2, "m")
    versions = list(machine.history(BOB))
    assert [(each.number, each.deleted, each.restored) for each in versions] == [
        (2, False, False),
        (4, True, False),
        (5, False, True),
    ]
    assert versions[0].value["points"] == 5
    assert versions[0].actions == ("message-2/0",)
    assert versions[0].time == datetime.fromtimestamp(SENT / 1000, UTC) + timedelta(hours=2)
    assert versions[1].value is None


def test_what_became_of_an_action() -> None:
    machine = a_little().machine
    assert machine.outcome("first") == ActionOutcome(
        id="first",
        number=1,
        outcome="applied",
        reason=None,
        type="score",
        args={"user": "ada", "points": 3},
        sender="AROATEST:tester",
        time=SENT + 3_600_000,
    )
    greedy = machine.outcome("greedy")
    assert greedy is not None
    assert (greedy.outcome, greedy.reason, greedy.applied) == ("rejected", "too many points", False)
    bob = machine.outcome("message-2/0")
    assert bob is not None
    assert (bob.number, bob.applied) == (2, True)
    malformed = machine.outcome("message-4/1")
    assert malformed is not None
    assert malformed.outcome == "malformed"
    assert machine.outcome("never sent") is None
    assert machine.outcome("first", blocks=3) is None
    assert machine.outcome("first", blocks=4) is not None


def test_of_several_actions_with_one_id_the_newest_counts() -> None:
    world = a_little()
    world.do(
        *({"type": "score", "id": "first", "args": {"user": "x", "points": n}} for n in (7, 8))
    )
    found = world.machine.outcome("first")
    assert found is not None
    assert (found.number, found.args) == (5, {"user": "x", "points": 8})


def test_waiting_for_the_first_action_of_a_machine() -> None:
    world = World()
    world.clock.then = [
        lambda: None,
        lambda: world.score("bob", 1),
        lambda: world.score("ada", 1, id="mine"),
    ]
    found = world.machine.wait("mine", 30)
    assert (found.number, found.applied, world.clock.pauses) == (2, True, 3)
    assert world.machine.wait("mine").number == 2
    assert world.clock.pauses == 3


def test_waiting_in_vain_comes_to_an_end() -> None:
    world = a_little()
    world.clock.then = [lambda: world.score("bob", 1)]
    with pytest.raises(
        Unavailable, match="'mine' stands in no block of machine 'm' after 5 s; its head is block 5"
    ) as caught:
        world.machine.wait("mine", 5)
    assert "dead-letter" in caught.value.hint
    assert 5 <= world.clock.seconds < 7
    assert world.clock.pauses < 25


def test_only_new_blocks_are_looked_through_again() -> None:
    world = a_little()
    watch = world.machine.watch("mine", blocks=2)
    asked: list[tuple[int, int]] = []
    log = world.stack.log
    read = log.read

    def noted(machine: str, first: int, last: int | None = None) -> Any:
        asked.append((first, last or 0))
        return read(machine, first, last)

    log.read = noted  # type: ignore[method-assign]
    assert watch.look() is None
    assert watch.look() is None
    world.score("ada", 1, id="mine")
    asked.clear()
    found = watch.look()
    assert found is not None
    assert asked == [(5, 5)]
    assert watch.seen == 4


def ran(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(doing, 60))


def test_the_same_with_asyncio() -> None:
    world = a_little()
    machine = AsyncMachineReader(world.machine)

    async def look() -> None:
        assert (await machine.head()).number == 4
        state, past = await asyncio.gather(machine.state(), machine.state(2))
        assert (state.machine, state.number, past.number) == ("m", 4, 2)
        assert await state.all() == dict(world.machine.state())
        assert await state.get(BOB, 7) == 7
        assert (await past.get(BOB))["points"] == 5
        assert await past.get_many([ADA, "x"]) == {ADA: await state.get(ADA)}
        assert [key async for key, _ in past.scan("player#", after=ADA)] == [BOB]
        top = await past.run(lambda held: Player.of(held).top("top", 1, within="s1"))
        assert top[0].user == "bob"
        assert (await machine.block(3)).number == 3
        assert [block.number async for block in machine.blocks(2)] == [2, 3, 4]
        assert [each.number async for each in machine.history(BOB)] == [2, 4]
        found = await machine.outcome("first")
        assert found is not None
        assert found.number == 1
        with pytest.raises(NotFound):
            await machine.state(99)
        with pytest.raises(NotFound):
            _ = [block async for block in machine.blocks(99)]

    ran(look())


def test_waiting_with_asyncio_holds_nobody_up() -> None:
    world = a_little()
    machine = AsyncMachineReader(world.machine)

    async def wait() -> None:
        waiting = asyncio.create_task(machine.wait("mine", 30))
        late = asyncio.create_task(machine.wait("never", 0.1))
        world.score("ada", 1)
        world.score("ada", 1, id="mine")
        assert (await waiting).number == 6
        with pytest.raises(Unavailable, match="'never' stands in no block"):
            await late

    ran(wait())
    assert world.clock.pauses == 0


def test_more_elements_than_are_fetched_at_once() -> None:
    world = World()
    world.do(*({"type": "score", "args": {"user": f"{n:03}", "points": 1}} for n in range(250)))

    async def scan() -> list[str]:
        state = await AsyncMachineReader(world.machine).state()
        return [key async for key, _ in state.scan("player#")]

    assert ran(scan()) == [f"player#s1#{n:03}" for n in range(250)]
