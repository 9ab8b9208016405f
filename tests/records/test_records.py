"""Records case by case: what is read, what is refused, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockfold import Context, Head, Machine, Message, State, action, execute
from blockfold.domain.canonical import decode, encode
from blockfold.domain.errors import Corrupted, LimitExceeded, NotFound
from blockfold.domain.replay import EntriesSource
from blockfold.records import InvalidRecord, OutdatedRecord, Record, RecordReader
from tests.records.samples import (
    Colour,
    CountingSource,
    Player,
    Reading,
    empty,
    odd_texts,
    raw,
    settled,
)

ADA = Player(server="s1", user="ada", points=3)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_what_is_stored_and_where() -> None:
    state = empty()
    Player.of(state).put(ADA)
    Player.of(state).put(Player(server="s 1", user="", points=-2, level="low", tags=["x"]))
    assert raw(state) == {
        "player#s1#ada": b'{"level":null,"points":3,"tags":[]}',
        "player.top#s1#Z6#ada": b"true",
        "player#s$`1#": b'{"level":"low","points":-2,"tags":["x"]}',
        "player.top#s$`1#a2#": b"true",
        "player.level#low#Z7#s$`1#": b"true",
    }


def test_every_type_of_part_comes_back() -> None:
    state = empty()
    readings = Reading.of(state)
    some = [
        Reading(
            device=device,
            number=number,
            at=NOON + timedelta(seconds=place),
            good=good,
            degrees=degrees,
            colour=colour,
            kind="b",
            litres=1,
        )
        for place, (device, number, good, degrees, colour) in enumerate(
            [
                ("a", -5, True, 1.5, Colour.RED),
                ("a", 5, False, -1.0, Colour.BLUE),
                ("a", 10**40, True, 2, Colour.BLUE),
                ("b", 0, True, 99.0, Colour.RED),
            ]
        )
    ]
    for each in some:
        readings.put(each)
    assert list(readings.each("a")) == some[:3]
    assert list(readings.each("a", 5)) == [some[1]]
    assert readings.get("a", 5, some[1].at, False) == some[1]
    assert readings.get("a", 5, some[1].at, True) is None
    assert readings.top("hot", 5, within=(True, "a")) == [some[2], some[0]]
    assert readings.top("cold", 2) == [some[1], some[0]]
    assert [each.number for each in readings.top("latest", 2)] == [0, 10**40]
    assert readings.top("colour", 5, within="b") == [some[1], some[2], some[0], some[3]]
    assert readings.top("colour", 5, within="a") == []


def test_top_reads_so_many_records_and_not_everybody() -> None:
    source = CountingSource()
    state = State(source)
    players = Player.of(state)
    for number in range(500):
        players.put(Player(server="s1", user=f"u{number}", points=number * 7 % 500))
    state = settled(state, source)
    source.reset()
    top = Player.of(state).top("top", 10, within="s1")
    assert [each.points for each in top] == list(range(499, 489, -1))
    assert source.keys == 10
    assert source.scanned == 11  # one more, to know whether there is a next page
    assert source.calls == 2


def test_a_page_reads_on_where_the_last_one_ended() -> None:
    source = CountingSource()
    state = State(source)
    for number in range(500):
        Player.of(state).put(Player(server="s1", user=f"u{number:03}"))
    state = settled(state, source)
    page = Player.of(state).scan("s1", limit=100)
    source.reset()
    page = Player.of(state).scan("s1", limit=100, after=page.next)
    assert [page.items[0].user, page.items[-1].user] == ["u100", "u199"]
    assert source.scanned == 101


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200])
def test_the_last_page_says_so(size: int) -> None:
    players = Player.of(empty())
    for number in range(size):
        players.put(Player(server="s1", user=f"{number:03}"))
    page = players.scan("s1")
    seen = len(page.items)
    while page.next is not None:
        page = players.scan("s1", after=page.next)
        assert page.items
        seen += len(page.items)
    assert seen == size


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("points", "3", "points"),
        ("points", True, "points"),
        ("points", 1.5, "points"),
        ("tags", "x", "tags"),
        ("tags", [1], r"tags\[0\]"),
        ("tags", [object()], "object"),
        ("level", 1, "level"),
        ("user", 7, "user"),
        ("user", None, "user"),
    ],
)
def test_wrong_types_are_refused_and_named(field: str, value: Any, told: str) -> None:
    state = empty()
    players = Player.of(state)
    players.put(ADA)
    before = raw(state)
    with pytest.raises(InvalidRecord, match=rf"player.*{told}"):
        players.put(Player(**{"server": "s1", "user": "ada", field: value}))
    if field not in ("user",):
        with pytest.raises(InvalidRecord, match=rf"player.*{told}"):
            players.update("s1", "ada", **{field: value})
    assert raw(state) == before


def test_limits_of_a_field_hold() -> None:
    readings = Reading.of(empty())
    with pytest.raises(InvalidRecord, match=r"litres"):
        readings.put(Reading(device="a", number=1, at=NOON, good=True, litres=-1))
    with pytest.raises(InvalidRecord, match="time zone"):
        readings.put(Reading(device="a", number=1, at=NOON.replace(tzinfo=None), good=True))
    with pytest.raises(InvalidRecord, match=r"reading\.degrees: NaN"):
        readings.put(Reading(device="a", number=1, at=NOON, good=True, degrees=float("nan")))
    with pytest.raises(InvalidRecord, match=r"number.*125 digits"):
        readings.put(Reading(device="a", number=10**125, at=NOON, good=True))
    late = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
    with pytest.raises(InvalidRecord, match=r"reading\.at"):
        readings.get("a", 1, late, True)
    assert readings.count() == 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda players: players.get("s1"), "key of player is server, user: 1 given"),
        (lambda players: players.get("s1", "ada", "x"), "3 given"),
        (lambda players: players.get("s1", 1), r"player\.user: Expected `str`, got `int`"),
        (lambda players: players.delete(None, "ada"), r"player\.server"),
        (lambda players: players.scan(1), r"player\.server"),
        (lambda players: players.count("s1", "ada"), "no beginning of the key"),
        (lambda players: players.scan(limit=0), "at least one record"),
        (lambda players: players.scan(limit="7"), "at least one record"),
        (lambda players: players.scan("s1", after="player#s2#x"), "no place in this scan"),
        (lambda players: players.scan("s1", after=3), "no place in this scan"),
        (lambda players: players.top("best", 3), "no index 'best'"),
        (lambda players: players.top("top", 3), "within 1 values, not 0"),
        (lambda players: players.top("top", 3, within=7), r"player\.server"),
        (lambda players: players.ranked("top", within="s1", after="x"), "no place"),
        (lambda players: players.update("s1", "ada", user="bob"), "no field to change"),
        (lambda players: players.update("s1", "ada", pints=1), "no field to change"),
        (lambda players: players.put(Reading(device="", number=1, at=NOON, good=True)), "is no"),
    ],
)
def test_wrong_calls_are_errors_and_never_nothing(call: Any, told: str) -> None:
    players = Player.of(empty())
    players.put(ADA)
    with pytest.raises(InvalidRecord, match=told):
        call(players)


def test_update_of_what_is_missing() -> None:
    with pytest.raises(NotFound, match="there is no player"):
        Player.of(empty()).update("s1", "ada", points=1)


def test_keys_up_to_the_limit_and_not_beyond() -> None:
    state = empty()
    players = Player.of(state)
    room = 1024 - len("player#s#")
    with pytest.raises(LimitExceeded, match="a key of player: a state key has 1 to 1,024 bytes"):
        players.put(Player(server="s", user="x" * room))  # the index's key is longer
    assert raw(state) == {}
    longest = 1024 - len("player.top#s#a0#")
    players.put(Player(server="s", user="x" * longest))
    players.put(Player(server="s", user="#" * (longest // 2)))
    assert [len(each.user) for each in players.each()] == [longest // 2, longest]
    with pytest.raises(LimitExceeded, match="surrogate"):
        players.get("s", "\ud800")
    with pytest.raises(LimitExceeded, match="a key of player"):
        players.scan("x" * 2000)


class Was(Record, name="thing", key="id"):
    id: str
    size: int
    gone: int = 0


class Is(Record, name="thing", key="id", indexes={}):
    id: str
    size: str = "small"
    new: int = 7


def test_a_record_of_older_code() -> None:
    state = empty()
    state["thing#fits"] = {"size": "large"}
    assert Is.of(state).get("fits") == Is(id="fits", size="large", new=7)
    Was.of(state).put(Was(id="x", size=3))
    with pytest.raises(OutdatedRecord, match=r"the thing under 'thing#x'.*(size|gone)"):
        Is.of(state).get("x")
    state["thing#y"] = {"size": 3}
    with pytest.raises(OutdatedRecord, match=r"thing#y.*str.*int.*\$\.size"):
        Is.of(state).update("y", new=1)
    state["thing#y"] = {"size": "s", "more": 1}
    with pytest.raises(OutdatedRecord, match=r"unknown field `more`"):
        Is.of(state).get("y")
    with pytest.raises(OutdatedRecord, match=r"thing#x"):
        list(Is.of(state).each())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("player#s1#bob", 3),
        ("player#s1", {}),
        ("player#s1#bob#x", {}),
        ("player#s1#b ob", {}),
        ("player#s1#$~", {}),
        ("player#s1#bob", {"user": "eve"}),
    ],
)
def test_keys_that_others_wrote_are_no_records(key: str, value: Any) -> None:
    state = empty()
    state[key] = value
    with pytest.raises(OutdatedRecord, match="player#s1"):
        list(Player.of(state).each())


def test_an_index_entry_without_its_record_is_damage_and_can_be_mended() -> None:
    state = empty()
    players = Player.of(state)
    players.put(ADA)
    state["player.top#s1#Z0#eve"] = True
    with pytest.raises(Corrupted, match="has no record"):
        players.top("top", 10, within="s1")
    state["player.top#s1#Z0"] = True
    with pytest.raises(Corrupted, match="has no record"):
        players.top("top", 10, within="s1")
    del state["player.top#s1#Z6#ada"]
    assert players.reindex() == 3
    assert players.top("top", 10, within="s1") == [ADA]
    assert players.reindex() == 0


def test_mending_spares_keys_that_are_nobodys_entries() -> None:
    state = empty()
    others = {"player.settings": 1, "player.": 2, "player.Top#x": 3, "player.#x": 4, "players#x": 5}
    for key, value in others.items():
        state[key] = value
    state["player.gone#s1#a1#ada"] = True  # of an index that is declared no more
    Player.of(state).put(ADA)
    assert Player.of(state).reindex() == 1
    assert {key: state[key] for key in others} == others
    assert "player.gone#s1#a1#ada" not in state


def test_an_index_that_is_declared_later() -> None:
    state = empty()
    state["player#s1#ada"] = decode(encode({"points": 3}))
    players = Player.of(state)
    assert players.top("top", 10, within="s1") == []
    assert players.update("s1", "ada", points=4).points == 4
    assert [each.points for each in players.top("top", 10, within="s1")] == [4]
    assert players.delete("s1", "ada")
    assert raw(state) == {}


def test_a_state_that_can_only_be_read() -> None:
    writable = empty()
    Player.of(writable).put(ADA)

    class ReadOnly:
        __getitem__ = staticmethod(writable.__getitem__)
        get_many = staticmethod(writable.get_many)
        scan = staticmethod(writable.scan)
        scan_keys = staticmethod(writable.scan_keys)

    players = Player.of(ReadOnly())
    assert type(players) is RecordReader
    assert players.get("s1", "ada") == ADA
    assert players.top("top", 1, within="s1") == [ADA]
    assert not hasattr(players, "put")


def test_what_is_read_is_a_value() -> None:
    state = empty()
    players = Player.of(state)
    players.put(Player(server="s1", user="ada", tags=["x"]))
    found = players.get("s1", "ada")
    assert found is not None
    with pytest.raises(AttributeError):
        found.points = 3  # type: ignore[misc]
    found.tags.append("y")
    again = players.get("s1", "ada")
    assert again is not None
    assert again.tags == ["x"]


@given(one=st.tuples(odd_texts, odd_texts), other=st.tuples(odd_texts, odd_texts))
def test_records_of_two_types_never_meet(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Nor do a record and an index entry, nor two records with different keys."""

    class Pair(Record, name="player-top", key=("server", "user")):
        server: str
        user: str

    state = empty()
    Pair.of(state).put(Pair(server=one[0], user=one[1]))
    Player.of(state).put(Player(server=other[0], user=other[1]))
    Player.of(state).put(Player(server=one[0], user=one[1]))
    assert len(state) == 1 + 2 * len({one, other})
    assert Pair.of(state).count() == 1
    assert Player.of(state).count() == len({one, other})


class Arcade(Machine):
    """A machine on records: what it does wrong is its own action's failure."""

    @action
    def play(self, state: State, context: Context, user: str, points: Any) -> None:
        players = Player.of(state)
        if players.get(context.machine, user) is None:
            players.put(Player(server=context.machine, user=user))
        players.update(context.machine, user, points=points)


def test_in_a_reducer_an_error_undoes_the_whole_action() -> None:
    body = encode(
        [
            {"type": "play", "args": {"user": "ada", "points": 3}},
            {"type": "play", "args": {"user": "bob", "points": "many"}},
            {"type": "play", "args": {"user": "ada", "points": 5}},
        ]
    ).decode()
    sent = Message(id="m", body=body, sequence="1")
    block = execute(Arcade(), Head(machine="s1"), EntriesSource({}), [sent])
    assert block.outcomes == {"applied": 2, "rejected": 0, "failed": 1, "malformed": 0}
    reasons = [record.reason or "" for _, _, record in block.body.actions]
    assert "a player does not fit: Expected `int`, got `str` - at `$.points`" in reasons[1]
    assert block.body.changes == {
        "player#s1#ada": b'{"level":null,"points":5,"tags":[]}',
        "player.top#s1#Z4#ada": b"true",
    }
