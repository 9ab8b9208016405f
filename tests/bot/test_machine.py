"""The machine against a plain model, for any actions in any blocks, some of them nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blockfold import Head, Limits, State, execute
from blockfold.domain.replay import EntriesSource, fold
from machines.remember import MAX_TEXT, Memory, Played, Player, Playing, Remember
from tests.strategies import SENT, message

users = st.sampled_from(["ada", "$#"])
subjects = st.sampled_from(["x", "x#y", "é" * 100])

actions: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda user, subject, text: {
            "type": "remember",
            "args": {"subject": subject, "text": text, "user": user},
        },
        users,
        subjects,
        st.sampled_from(["a", "語" * MAX_TEXT, "", "y" * (MAX_TEXT + 1)]),
    ),
    st.builds(
        lambda user, subject: {"type": "forget", "args": {"subject": subject, "user": user}},
        users,
        subjects,
    ),
    st.builds(
        lambda user, game: {"type": "start_play", "args": {"game": game, "user": user}},
        users,
        st.sampled_from(["go", "go", "#", "#", "x" * 101]),
    ),
    st.builds(lambda user: {"type": "stop_play", "args": {"user": user}}, users),
    st.just({"type": "stop_play", "args": {}}),
)


@dataclass
class Model:
    """What the machine must remember."""

    kept: dict[str, str] = field(default_factory=dict)
    playing: dict[str, tuple[str, int]] = field(default_factory=dict)
    played: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def take(self, type_: str, time: int, args: dict[str, str]) -> str:
        """Apply an action; its outcome."""
        user = args.get("user", "")
        if (
            any(
                not 1 <= len(value) <= (MAX_TEXT if name == "text" else 100)
                for name, value in args.items()
            )
            or not user
        ):
            return "malformed"
        if type_ == "remember":
            self.kept[args["subject"]] = args["text"]
        elif type_ == "forget":
            return "applied" if self.kept.pop(args["subject"], None) else "rejected"
        elif type_ == "start_play":
            if user in self.playing:
                return "rejected"
            self.playing[user] = (args["game"], time)
        else:
            if user not in self.playing:
                return "rejected"
            game, since = self.playing.pop(user)
            total = self.played.setdefault((user, game), [0, 0])
            total[0] += time - since
            total[1] += 1
        return "applied"

    def totals(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for (user, _), (milliseconds, sessions) in self.played.items():
            before = found.get(user, (0, 0))
            found[user] = (before[0] + milliseconds, before[1] + sessions)
        return found


@given(
    st.lists(st.tuples(actions, st.integers(0, 100_000)), min_size=10, max_size=60),
    st.integers(1, 7),
)
def test_it_remembers_what_a_plain_model_does(
    steps: list[tuple[dict[str, Any], int]], per_block: int
) -> None:
    model, state, head, time = Model(), dict[str, bytes](), Head(machine="lobby"), SENT
    messages, expected = [], []
    for number, (action, later) in enumerate(steps, 1):
        time += later
        messages.append(message(number, [action], sent=time))
        expected.append(model.take(action["type"], time, action["args"]))
    for start in range(0, len(messages), per_block):
        some = messages[start : start + per_block]
        block = execute(Remember(), head, EntriesSource(state), some, limits=Limits(actions=100))
        outcomes = [record.outcome for _, _, record in block.body.actions]
        assert outcomes == expected[start : start + per_block]
        fold(state, block)
        head = block.head
    view = State(EntriesSource(state))
    assert {each.subject: each.text for each in Memory.of(view).each()} == model.kept
    assert {each.user: (each.game, each.since) for each in Playing.of(view).each()} == model.playing
    assert {
        (each.user, each.game): [each.milliseconds, each.sessions]
        for each in Played.of(view).each()
    } == model.played
    check_leaderboards(view, model)


def check_leaderboards(view: State, model: Model) -> None:
    totals = model.totals()
    players = Player.of(view)
    by_time = [(each.milliseconds, each.user) for each in players.top("time", 3)]
    ranked = sorted(totals, key=lambda user: (-totals[user][0], user))
    assert by_time == [(totals[user][0], user) for user in ranked[:3]]
    by_sessions = [(each.sessions, each.user) for each in players.top("sessions", 100)]
    ranked = sorted(totals, key=lambda user: (-totals[user][1], user))
    assert by_sessions == [(totals[user][1], user) for user in ranked]


@dataclass
class Counted:
    """A source that counts the entries that are read from it."""

    source: EntriesSource
    read: int = 0

    def get(self, key: str) -> bytes | None:
        self.read += 1
        return self.source.get(key)

    def get_many(self, keys: list[str]) -> dict[str, bytes]:
        self.read += len(keys)
        return self.source.get_many(keys)

    def scan(self, prefix: str, after: str = "") -> Iterator[tuple[str, bytes]]:
        for each in self.source.scan(prefix, after):
            self.read += 1
            yield each


def test_a_leaderboard_reads_its_own_places_only() -> None:
    state: dict[str, bytes] = {}
    head = Head(machine="lobby")
    for number in range(1, 101):
        user = f"u{number}"
        plays = [{"type": "start_play", "args": {"game": "go", "user": user}}]
        stops = [{"type": "stop_play", "args": {"user": user}}]
        sent = [
            message(2 * number, plays, sent=SENT + number * 1_000_000),
            message(2 * number + 1, stops, sent=SENT + number * 1_000_000 + number),
        ]
        block = execute(Remember(), head, EntriesSource(state), sent, limits=Limits(actions=100))
        fold(state, block)
        head = block.head
    source = Counted(EntriesSource(state))
    best = Player.of(State(source)).top("time", 5)
    assert [each.user for each in best] == ["u100", "u99", "u98", "u97", "u96"]
    assert source.read <= 2 * 5 + 1
