"""What waits between the threads is bounded, ordered and paced."""

from __future__ import annotations

from threading import Event

from examples.bot.chat import Said
from examples.bot.irc_answers import WAITING, Answers, Outbox
from examples.bot.irc_lines import Bucket

SAID = Said("net", "ada", ".recall x")


def test_quick_answers_do_not_pile_up_without_bound() -> None:
    outbox = Outbox(Bucket(1, 1e6, lambda: 0.0))
    answered = Event()
    answers = Answers(outbox, answered.set)
    answers.start(lambda _: ["x"])
    for _ in range(WAITING):
        answered.clear()
        assert answers.ask(SAID, "ada", "")
        assert answered.wait(20)
    assert not answers.ask(SAID, "ada", "")
    assert outbox.next("remember") == ("ada", "x")
    assert outbox.next("remember") is None, "flood control"
    assert answers.ask(SAID, "ada", ""), "there is room again"
    answers.end()


def test_answers_that_raise_cost_nobody_else_an_answer() -> None:
    outbox = Outbox(Bucket(9, 0.0, lambda: 0.0))
    answered = Event()
    answers = Answers(outbox, answered.set)

    def answer(said: Said) -> list[str]:
        return [str(1 / len(said.text))]

    answers.start(answer)
    for text in ("", "x"):
        answered.clear()
        assert answers.ask(Said("net", "ada", text), "#lobby", "ada: ")
        assert answered.wait(20)
    assert outbox.next("remember") == ("#lobby", "ada: 1.0")
    assert outbox.next("remember") is None
    assert answers.idle
    answers.end()
