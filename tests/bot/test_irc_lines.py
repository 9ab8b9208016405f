"""Text in lines of IRC: nothing is lost, cut inside a character, or too long."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from examples.bot.irc_lines import MOST_LINES, Bucket, nicks, room, same_nick, split

characters = st.sampled_from(["a", "b", " ", "é", "e\u0301", "👩\u200d🔬", "語"])
texts = st.lists(characters, max_size=60).map(lambda some: ("".join(some) * 8).strip())


@given(texts, st.integers(40, 120))
def test_pieces_fit_and_hold_the_whole_text(text: str, size: int) -> None:
    pieces = split(text, size)
    assert all(0 < len(piece.encode()) <= size for piece in pieces)
    assert len(pieces) <= MOST_LINES
    if pieces and "characters more)" in pieces[-1]:
        kept, _, left = pieces.pop().rpartition(" … (and ")
        pieces.append(kept)
        missing = int(left.split()[0].replace(",", ""))
    else:
        missing = 0
    whole = "".join(piece.removeprefix("… ") for piece in pieces).replace(" ", "")
    rest = text[len(text) - missing :].replace(" ", "") if missing else ""
    assert whole + rest == text.replace(" ", "")


def test_pieces_end_at_spaces_or_between_whole_characters() -> None:
    assert split("one two three", 9) == ["one two", "… three"]
    assert split("é" * 6, 8) == ["éééé", "… éé"]
    assert split("x" * 5 + "e\u0301" * 4, 10)[0] == "xxxxxe\u0301"
    assert split("", 10) == []


def test_a_line_fits_with_the_longest_mask_that_servers_add() -> None:
    mask = f":remember!{'u' * 11}@{'h' * 63}"
    text = "x" * room("remember", "#lobby")
    assert len(f"{mask} PRIVMSG #lobby :{text}\r\n") == 512


def test_nicks_differ_and_are_short_enough() -> None:
    first = list(islice(nicks("remember"), 50))
    assert first[:3] == ["remember", "remember_", "remember2"]
    assert len(set(first)) == 50
    assert all(len(each) <= 9 for each in first)


def test_nicks_are_compared_as_the_server_does() -> None:
    assert same_nick(r"Ada[\]^É") == "ada{|}~É"
    assert same_nick(r"Ada[\]^É", "ascii") == r"ada[\]^É"


@given(
    st.integers(1, 6),
    st.lists(st.integers(0, 50), max_size=60),
)
def test_no_span_of_time_sees_more_lines_than_flood_control_lets_through(
    burst: int, pauses: list[int]
) -> None:
    time = 0.0
    bucket = Bucket(burst, 2.0, lambda: time)
    said: list[float] = []
    for pause in pauses:
        time += pause / 10
        if bucket.wait() == 0:
            bucket.take()
            said.append(time)
    for first, start in enumerate(said):
        for last in range(first, len(said)):
            assert last - first + 1 <= burst + (said[last] - start) / 2.0 + 1e-9


def test_flood_control_lets_a_burst_through_and_then_one_a_time() -> None:
    time = 0.0
    bucket = Bucket(3, 2.0, lambda: time)
    at_once = 0
    while bucket.wait() == 0:
        bucket.take()
        at_once += 1
    assert (at_once, bucket.wait()) == (3, 2.0)
    time = 2.0
    assert bucket.wait() == 0
