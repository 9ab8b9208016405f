"""Records behave like a dictionary of structs, whatever is done to them and however actions end.

The state under them is the real one, over actions and blocks that are kept or dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blockfold import State
from blockfold.domain.errors import NotFound
from blockfold.records import Page, Records
from tests.records.samples import CountingSource, Player, odd_texts, raw, settled

servers = st.sampled_from(["", "s", "s#", "s1", "é"])
users = st.sampled_from(["", "a", "b", "#", "$", "a b"]) | odd_texts
points = st.integers(-3, 12) | st.integers(-(10**30), 10**30)
levels = st.none() | st.sampled_from(["", "high", "low", "lo"])
players = st.builds(
    Player,
    server=servers,
    user=users,
    points=points,
    level=levels,
    tags=st.lists(odd_texts, max_size=2),
)
Model = dict[tuple[str, str], Player]
Turn = Callable[[str | None], Page[Player]]


def in_order(model: Model) -> list[Player]:
    return [model[key] for key in sorted(model)]


def by_points(model: Model, server: str) -> list[Player]:
    found = [each for each in in_order(model) if each.server == server]
    return sorted(found, key=lambda each: -each.points)


def by_level(model: Model) -> list[Player]:
    found = [each for each in in_order(model) if each.level is not None]
    return sorted(found, key=lambda each: (each.level or "", each.points))


def paged(turn: Turn) -> list[Player]:
    """All pages together; a page that is not the last is full and is followed by more."""
    page = turn(None)
    found = list(page.items)
    while page.next is not None:
        page = turn(page.next)
        assert page.items
        found += page.items
    return found


class RecordsAgainstDictionary(RuleBasedStateMachine):
    """Rules act on `Records` and on plain dictionaries, one for each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.source = CountingSource()
        self.state = State(self.source)
        self.before: Model = {}
        self.now: Model = {}
        self.state["other"] = 1  # a key that is none of theirs
        self.state["player"] = 2
        self.end_block()

    @property
    def records(self) -> Records[Player]:
        return Player.of(self.state)

    @rule(player=players)
    def put(self, player: Player) -> None:
        self.records.put(player)
        self.now[player.server, player.user] = player

    @rule(
        server=servers,
        user=users,
        changes=st.fixed_dictionaries({}, optional={"points": points, "level": levels}),
    )
    def update(self, server: str, user: str, changes: dict[str, Any]) -> None:
        if (server, user) not in self.now:
            with pytest.raises(NotFound, match="there is no player"):
                self.records.update(server, user, **changes)
            return
        changed = msgspec.structs.replace(self.now[server, user], **changes)
        assert self.records.update(server, user, **changes) == changed
        self.now[server, user] = changed

    @rule(data=st.data())
    def update_one_that_is_there(self, data: st.DataObject) -> None:
        if self.now:
            key = data.draw(st.sampled_from(sorted(self.now)))
            self.update(*key, {"points": data.draw(points)})

    @rule(server=servers, user=users)
    def delete(self, server: str, user: str) -> None:
        there = self.now.pop((server, user), None) is not None
        assert self.records.delete(server, user) is there

    @rule(data=st.data())
    def delete_one_that_is_there(self, data: st.DataObject) -> None:
        if self.now:
            self.delete(*data.draw(st.sampled_from(sorted(self.now))))

    @rule()
    def end_block(self) -> None:
        self.state = settled(self.state, self.source)
        self.before = dict(self.now)

    @rule()
    def end_badly(self) -> None:
        self.state.drop()
        self.now = dict(self.before)

    @rule(server=servers, user=users)
    def get(self, server: str, user: str) -> None:
        assert self.records.get(server, user) == self.now.get((server, user))

    @rule(limit=st.integers(1, 4), server=servers)
    def pages(self, limit: int, server: str) -> None:
        mine, records = in_order(self.now), self.records
        of_server = [each for each in mine if each.server == server]
        assert paged(lambda at: records.scan(limit=limit, after=at)) == mine
        assert paged(lambda at: records.scan(server, limit=limit, after=at)) == of_server
        ranked = by_points(self.now, server)
        assert records.top("top", limit, within=server) == ranked[:limit]
        assert (
            paged(lambda at: records.ranked("top", within=server, limit=limit, after=at)) == ranked
        )
        assert paged(lambda at: records.ranked("level", limit=limit, after=at)) == by_level(
            self.now
        )

    @rule(data=st.data(), limit=st.integers(1, 3))
    def a_page_that_others_change(self, data: st.DataObject, limit: int) -> None:
        """What goes or comes between two pages neither repeats nor hides the others."""
        first = self.records.scan(limit=limit)
        stay = dict(self.now)
        if self.now:
            gone = data.draw(st.sampled_from(sorted(self.now)))
            self.delete(*gone)
            stay.pop(gone)
        come = data.draw(players)
        self.put(come)
        stay.pop((come.server, come.user), None)
        rest: list[Player] = []
        if first.next is not None:
            place = first.next
            rest = paged(lambda at: self.records.scan(limit=limit, after=at or place))
        seen = [(each.server, each.user) for each in (*first.items, *rest)]
        assert len(set(seen)) == len(seen)
        assert set(stay) <= set(seen)

    @rule()
    def indexes_need_no_mending(self) -> None:
        assert self.records.reindex() == 0

    @invariant()
    def everything_is_there_and_nothing_else(self) -> None:
        assert list(self.records.each()) == in_order(self.now)
        assert self.records.count() == len(self.now)
        for server in ("s", "é"):
            mine = [each for each in in_order(self.now) if each.server == server]
            assert list(self.records.each(server)) == mine
            assert self.records.count(server) == len(mine)
        sparse = sum(each.level is not None for each in self.now.values())
        assert len(raw(self.state)) == 2 + 2 * len(self.now) + sparse


RecordsAgainstDictionary.TestCase.settings = settings(stateful_step_count=25)
TestRecords = RecordsAgainstDictionary.TestCase
