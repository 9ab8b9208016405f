"""Marks and counters together: what is to be done, what is done, what waits for its original."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from blockfold import Message
from blockfold.domain.block import Mark
from blockfold.domain.counters import NONE, Counter
from blockfold.domain.marks import advance, sift

PRODUCERS = ("", "p", "q")


def sent(sequence: int, producer: str = "p", count: int = 0) -> Message:
    count = count or (sequence if producer else 0)
    return Message(
        id=f"id-{sequence}", body="", sequence=str(sequence), producer=producer, count=count
    )


def mark(sequence: int, next_: int | None = None) -> tuple[Mark, ...]:
    return advance((), sent(sequence), next_)


def test_what_was_sent_again_later_is_done_by_its_count() -> None:
    sifted = sift(mark(2), [sent(3, count=2), sent(4, count=3)], {"p": Counter(2)})
    assert sifted.done == (sent(3, count=2),)
    assert sifted.todo == sifted.left == (sent(4, count=3),)


def test_another_producers_count_says_nothing() -> None:
    other = sent(3, "q", 2)
    assert sift(mark(2), [other], {"p": Counter(2)}).todo == (other,)


def test_a_message_below_later_ones_that_never_came_is_to_do() -> None:
    late = sent(9, count=2)
    assert sift(mark(8), [late], {"p": Counter(3, ((2, 2),))}).todo == (late,)


def test_a_copy_waits_for_its_original_and_is_not_forgotten() -> None:
    original, copy, after = sent(1, count=1), sent(2, count=1), sent(3, count=2)
    sifted = sift((), [original, copy, after])
    assert sifted.todo == (original, after)
    assert sifted.left == (original, copy, after)
    assert sifted.done == ()
    assert sift(mark(1), sifted.left, {"p": Counter(1)}).done == (original, copy)


def test_a_copy_of_a_message_that_is_done_in_part_waits_and_the_rest_goes_on() -> None:
    original, copy = sent(1, count=1), sent(2, count=1)
    sifted = sift(mark(1, next_=4), [original, copy], {"p": NONE})
    assert sifted.todo == (replace(original, first=4),)
    assert sifted.left == (replace(original, first=4), copy)


messages = st.lists(
    st.tuples(st.sampled_from(PRODUCERS), st.integers(1, 4)), min_size=1, max_size=12
)


@given(messages, st.integers(0, 12), st.lists(st.integers(1, 4)), st.none() | st.integers(1, 3))
def test_every_message_is_in_one_place_and_no_count_is_to_do_twice(
    named: list[tuple[str, int]], at: int, done: list[int], next_: int | None
) -> None:
    all_ = [
        sent(sequence, producer, count if producer else 0)
        for sequence, (producer, count) in enumerate(named, 1)
    ]
    marks = mark(at, next_) if at else ()
    counters = {"p": NONE.after_all(done)}
    sifted = sift(marks, all_, counters)
    assert {each.id for each in sifted.left} | {each.id for each in sifted.done} == {
        each.id for each in all_
    }
    assert len(sifted.left) + len(sifted.done) == len(all_)
    assert set(sifted.todo) <= set(sifted.left)
    todo = [(each.producer, each.count) for each in sifted.todo if each.producer]
    assert len(set(todo)) == len(todo)
    assert set(todo) == {(each.producer, each.count) for each in sifted.left if each.producer}
    assert not any(counters["p"].holds(count) for name, count in todo if name == "p")
    for part in (sifted.todo, sifted.left, sifted.done):
        assert [int(each.sequence) for each in part] == sorted(int(each.sequence) for each in part)


@given(messages, st.integers(0, 12), st.none() | st.integers(1, 3))
def test_a_raw_senders_messages_are_sifted_as_if_there_were_no_counters(
    named: list[tuple[str, int]], at: int, next_: int | None
) -> None:
    all_ = [
        sent(sequence, producer, count if producer else 0)
        for sequence, (producer, count) in enumerate(named, 1)
    ]
    marks = mark(at, next_) if at else ()
    mixed = sift(marks, all_, {"p": Counter(3), "q": Counter(4, ((1, 2),))})
    alone = sift(marks, [each for each in all_ if not each.producer])
    for one, other in (
        (mixed.todo, alone.todo),
        (mixed.left, alone.left),
        (mixed.done, alone.done),
    ):
        assert [each for each in one if not each.producer] == list(other)
