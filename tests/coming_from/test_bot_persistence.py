"""Coming from a chat bot's tables in DynamoDB: each row of the table in docs/coming-from.md."""

from __future__ import annotations

import pytest

from blockfold import Runtime, State
from blockfold.domain.errors import NotFound
from blockfold.domain.replay import EntriesSource
from blockfold.records import Descending, Record
from blockfold.records.errors import InvalidRecord, OutdatedRecord
from machines.remember import Memory, Player, Remember


class Score(
    Record,
    name="score",
    key=("server", "user"),
    indexes={"top": Descending("points", within="server")},
):
    """What a user has of points on a server."""

    server: str
    user: str
    points: int = 0


def state() -> State:
    return State(EntriesSource({}))


def test_a_table_is_a_class_declared_once() -> None:
    scores = Score.of(state())
    with pytest.raises(InvalidRecord, match="points"):
        scores.put(Score(server="s", user="ada", points="many"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Score(server="s", user="ada", goals=1)  # type: ignore[call-arg]


def test_write_update_get_and_delete() -> None:
    scores = Score.of(state())
    scores.put(Score(server="s", user="ada", points=1))
    assert scores.update("s", "ada", points=2) == Score(server="s", user="ada", points=2)
    assert scores.get("s", "ada") == Score(server="s", user="ada", points=2)
    assert scores.delete("s", "ada")
    assert not scores.delete("s", "ada")


def test_a_sort_key_is_optional() -> None:
    memories = Memory.of(state())
    memories.put(Memory(subject="meeting", text="tomorrow", by="ada", at=1))
    assert memories.get("meeting") is not None
    scores = Score.of(state())
    scores.put(Score(server="s", user="ada"))
    assert [each.user for each in scores.each("s")] == ["ada"]


def test_missing_is_none_and_wrong_is_an_error() -> None:
    kept = state()
    scores = Score.of(kept)
    assert scores.get("s", "nobody") is None
    with pytest.raises(NotFound):
        scores.update("s", "nobody", points=1)
    scores.put(Score(server="s", user="ada"))
    [key] = [key for key in kept if "ada" in key and isinstance(kept[key], dict)]
    kept[key] = {"points": "older"}
    with pytest.raises(OutdatedRecord, match="points"):
        scores.get("s", "ada")


def test_scans_go_on_behind_page_one_and_count() -> None:
    scores = Score.of(state())
    for number in range(25):
        scores.put(Score(server="s", user=f"u{number:02}", points=number))
    scores.put(Score(server="t", user="other"))
    found, after = [], None
    while True:
        page = scores.scan("s", limit=10, after=after)
        found += [each.user for each in page.items]
        after = page.next
        if after is None:
            break
    assert found == [f"u{number:02}" for number in range(25)]
    assert scores.count("s") == 25
    assert scores.count() == 26


def test_leaderboards_read_the_top_alone() -> None:
    scores = Score.of(state())
    for number in range(100):
        scores.put(Score(server="s", user=f"u{number}", points=number))
    assert [each.points for each in scores.top("top", 3, within="s")] == [99, 98, 97]


def test_remember_recall_forget() -> None:
    with Runtime(Remember, "a-server") as bot:
        bot.write("remember", subject="meeting", text="tomorrow", user="ada")
        kept = Memory.of(bot.state).get("meeting")
        assert kept is not None
        assert kept.text == "tomorrow"
        assert bot.write("forget", subject="meeting", user="ada").outcome == "applied"
        assert Memory.of(bot.state).get("meeting") is None
        assert bot.write("forget", subject="meeting", user="ada").outcome == "rejected"


def test_play_stats_and_leaderboard() -> None:
    with Runtime(Remember, "a-server") as bot:
        for user in ("ada", "grace", "ada"):
            bot.write("start_play", game="chess", user=user)
            bot.write("stop_play", user=user)
        players = Player.of(bot.state)
        assert [each.user for each in players.top("sessions", 1)] == ["ada"]
        ada = players.get("ada")
        assert ada is not None
        assert ada.sessions == 2


def test_each_server_has_a_memory_of_its_own() -> None:
    with Runtime(Remember, "one") as one, Runtime(Remember, "two") as two:
        one.write("remember", subject="x", text="1", user="ada")
        assert Memory.of(two.state).get("x") is None
