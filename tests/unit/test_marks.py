"""Which messages are still to be done, told from how far each queue was read."""

from __future__ import annotations

from dataclasses import replace

from blockfold.domain.action import Message
from blockfold.domain.block import Mark
from blockfold.domain.marks import REPLACED_AFTER, advance, sift

QUEUE = "arn:aws:sqs:eu-west-1:000000000000:one.fifo"
OTHER = "arn:aws:sqs:eu-west-1:000000000000:two.fifo"
LONG = 18849496460467696128  # more digits than a DynamoDB number is sure to hold as a float


def sent(offset: int, *, queue: str = QUEUE, at: int = 1_000, first: int = 0) -> Message:
    sequence = str(LONG + offset)
    return Message(
        id=f"{queue}/{offset}", body="", queue=queue, sequence=sequence, sent=at, first=first
    )


def marks(*messages: Message, next_: int | None = None) -> tuple[Mark, ...]:
    found: tuple[Mark, ...] = ()
    for message in messages:
        found = advance(found, message, next_)
    return found


def test_without_marks_everything_is_to_do() -> None:
    sifted = sift((), [sent(1), sent(2)])
    assert sifted.todo == (sent(1), sent(2))
    assert (sifted.done, sifted.replaced) == ((), ())


def test_at_or_below_the_mark_is_done() -> None:
    sifted = sift(marks(sent(1), sent(2)), [sent(1), sent(2), sent(3)])
    assert sifted.done == (sent(1), sent(2))
    assert sifted.todo == (sent(3),)


def test_sequence_numbers_compare_as_numbers() -> None:
    nine = replace(sent(0), sequence="9")
    ten = replace(sent(1), sequence="10")
    assert sift(advance((), nine, None), [ten]).todo == (ten,)
    assert sift(advance((), ten, None), [nine]).done == (nine,)


def test_each_queue_has_its_own_mark() -> None:
    both = marks(sent(5), sent(2, queue=OTHER))
    sifted = sift(both, [sent(3), sent(3, queue=OTHER), sent(6), sent(1, queue=OTHER)])
    assert sifted.todo == (sent(3, queue=OTHER), sent(6))
    assert sifted.done == (sent(3), sent(1, queue=OTHER))
    assert {(mark.queue, mark.sequence) for mark in both} == {
        (QUEUE, str(LONG + 5)),
        (OTHER, str(LONG + 2)),
    }


def test_a_message_done_in_part_goes_on_where_it_stopped() -> None:
    sifted = sift(marks(sent(1), next_=4), [sent(1), sent(2)])
    assert sifted.todo == (sent(1, first=4), sent(2))


def test_a_message_done_in_part_is_done_once_a_later_block_says_so() -> None:
    partly = marks(sent(1), next_=4)
    assert sift(advance(partly, sent(1), None), [sent(1)]).done == (sent(1),)


def test_where_a_caller_thinks_that_a_message_starts_does_not_count() -> None:
    assert sift((), [sent(1, first=3)]).todo == (sent(1),)


def test_a_low_number_sent_clearly_later_comes_from_a_queue_made_anew() -> None:
    fresh = replace(sent(0), id="fresh", sequence="1", sent=1_000 + REPLACED_AFTER + 1)
    after = replace(fresh, id="after", sequence="2")
    sifted = sift(marks(sent(7)), [fresh, after])
    assert sifted.todo == (fresh, after)
    assert sifted.replaced == (QUEUE,)
    assert sift(advance(marks(sent(7)), after, None), [fresh, after]).done == (fresh, after)


def test_a_low_number_sent_a_little_later_is_only_a_clock_that_differs() -> None:
    skewed = replace(sent(0), sent=1_000 + REPLACED_AFTER)
    assert sift(marks(sent(7)), [skewed]).done == (skewed,)


def test_a_message_that_comes_twice_in_one_delivery_is_to_do_once() -> None:
    sifted = sift((), [sent(1), sent(1), sent(2), sent(1)])
    assert sifted.todo == (sent(1), sent(2))
    assert sifted.done == ()
