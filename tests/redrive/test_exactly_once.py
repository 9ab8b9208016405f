"""Each action stands in one block, whoever sends, splits, loses, redrives, and dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockfold import Message
from blockfold.domain.errors import Unavailable
from tests.counters.world import by, executor
from tests.faults import MOMENTS, Faults, Killed, Moment, fail, kill
from tests.points import at_each
from tests.redrive.world import Mail

PRODUCERS = ("", "", "p")
"""Two raw senders for one that counts."""

MOVES = ("send", "send", "send", "deliver", "deliver", "lose", "redrive", "redrive", "repeat")


@settings(max_examples=max(120, settings.default.max_examples))
@given(st.data())
def test_in_any_history(data: st.DataObject) -> None:
    mail = Mail()
    actions = data.draw(st.sampled_from((1, 2, 10_000)))
    for move in data.draw(st.lists(st.sampled_from(MOVES), min_size=4, max_size=18)):
        if move == "send":
            mail.send(data.draw(st.sampled_from(PRODUCERS)), data.draw(st.integers(1, 4)))
        elif move == "repeat":
            found = [each for each in mail.waiting if each.producer == "p"]
            if found and not any(_is_half(mail, each) for each in mail.copies(found[0])):
                mail.repeat(found[0])
        elif move == "lose" and mail.waiting and _may_be_lost(mail, mail.waiting[0]):
            mail.lose()
        elif move == "deliver" and mail.waiting:
            _deliver(data, mail, actions)
        elif move == "redrive":
            _redrive(data, mail, actions)
    mail.come_to_rest(actions)
    mail.assert_exactly_once()


def _is_half(mail: Mail, message: Message) -> bool:
    return 0 < mail.begun(message) < len(message.asked)


def _may_be_lost(mail: Mail, message: Message) -> bool:
    """Not half of a producer's message of which a copy is still under way: see reliability.md."""
    return not (message.producer and _is_half(mail, message) and len(mail.copies(message)) > 1)


def _deliver(data: st.DataObject, mail: Mail, actions: int) -> None:
    """To somebody who may die of it."""
    faults = Faults([data.draw(st.integers(0, 25))], data.draw(st.sampled_from(MOMENTS)))
    if data.draw(st.booleans()):
        faults = Faults()
    with suppress(Killed):
        mail.deliver(
            by(executor(mail.world, faults, actions=actions)),
            data.draw(st.integers(1, 10)),
            heard=data.draw(st.booleans()),
        )


def _redrive(data: st.DataObject, mail: Mail, actions: int) -> None:
    """By somebody who may die of it, be slow, or not be alone."""
    at, moment = data.draw(st.integers(0, 20)), data.draw(st.sampled_from(MOMENTS))
    strike = data.draw(st.sampled_from(("nothing", "kill", "fail", "execute", "another", "late")))
    meanwhile: dict[str, Callable[[], object]] = {
        "execute": lambda: mail.drain(actions),
        "another": lambda: mail.redriver().carry_out(),
        "late": lambda: (mail.wait(), mail.redrive()),
    }

    def strikes() -> None:
        meanwhile[strike]()

    doing = {"kill": kill, "fail": fail}.get(strike, strikes)
    faults = Faults([at], moment, doing) if strike != "nothing" else Faults()
    try:
        mail.redrive(faults, data.draw(st.sampled_from((None, 1, 3))))
    except Killed:
        assert strike == "kill"
    except Unavailable:
        assert strike in ("fail", "late"), "others took over what had expired"


# -- struck anywhere ---------------------------------------------------------------------------


def lost_mail() -> Mail:
    """Letters of each kind: done, partly done, not begun; raw, packed, of a producer."""
    mail = Mail()
    mail.send("", 2)
    mail.deliver(heard=False)
    mail.lose()  # done, and the queue never heard of it
    mail.send("", 5)
    mail.split(2)
    mail.lose()  # partly done
    mail.send("p", 4)
    mail.split(1, 2)
    mail.lose()  # partly done, of a producer
    mail.send("", 3)
    mail.lose()
    mail.send("p", 3)
    mail.lose()
    mail.send()
    mail.drain()
    return mail


def _steps() -> list[str]:
    rehearsal = Faults()
    lost_mail().redrive(rehearsal)
    return rehearsal.steps


STEPS = _steps()
CASES = [
    pytest.param(position, moment, id=f"{position}-{name}-{moment}")
    for position, name in enumerate(STEPS)
    for moment in MOMENTS
]


def test_the_letters_are_of_all_kinds() -> None:
    found = lost_mail().redriver().plan()
    assert [(each.standing, each.actions, each.held, each.messages) for each in found] == [
        ("done", 2, 2, 0),
        ("partly done", 5, 2, 3),
        ("partly done", 4, 2, 2),
        ("not begun", 3, 0, 3),
        ("not begun", 3, 0, 1),
    ]
    assert {"letters.send", "letters.send_again", "letters.delete"} <= set(STEPS)


@at_each(("position", "moment"), CASES)
def test_killed_anywhere(position: int, moment: Moment) -> None:
    mail, faults = lost_mail(), Faults([position], moment)
    with suppress(Killed):  # letting letters go is not waited for
        mail.redrive(faults)
    assert faults.dead
    if position % 2 and mail.waiting:
        mail.split(1)
    mail.come_to_rest()
    mail.assert_exactly_once()


@at_each(("position",), [pytest.param(n, id=str(n)) for n in range(len(STEPS))])
def test_another_one_redrives_and_executors_work_at_any_moment(position: int) -> None:
    mail = lost_mail()

    def meanwhile() -> None:
        mail.wait()
        mail.redrive()
        mail.drain(2)

    with suppress(Unavailable):  # its receipts have expired
        mail.redrive(Faults([position], "after", meanwhile))
    mail.come_to_rest()
    mail.assert_exactly_once()


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_is_given_up_again_half_done_is_brought_back_again(rounds: int) -> None:
    mail = Mail()
    mail.send("", 6)
    mail.send("p", 6)
    for _ in range(rounds):
        mail.split(1)
        while mail.waiting:
            mail.lose()
        mail.redrive()
    mail.come_to_rest()
    mail.assert_exactly_once()


@pytest.mark.parametrize("done", [1, 3, 5])
def test_no_half_of_what_was_sent_before_a_crash_is_done_twice(done: int) -> None:
    """Blocks hold a part of what was sent; the rest of it ends beside the letter it came from."""
    mail = Mail()
    mail.send("", 6)
    mail.lose()
    with suppress(Killed):
        mail.redrive(Faults([_steps_of(mail).index("letters.delete")]))
    mail.split(done)
    assert mail.done()
    while mail.waiting:
        mail.lose()
    assert len(mail.letters.letters) > 1
    mail.come_to_rest()
    mail.assert_exactly_once()


def _steps_of(mail: Mail) -> list[str]:
    """The steps that somebody takes who redrives one letter."""
    plan, faults = mail.redriver().plan(), Faults()
    mail.redriver(faults).plan()
    at = faults.steps.index("letters.hold")
    return faults.steps[:at] + ["letters.send"] * plan[0].messages + ["letters.delete"]


def test_a_producer_that_sends_again_what_was_redriven_in_part_is_recognised() -> None:
    mail = Mail()
    message = mail.send("p", 4)
    mail.split(2)
    mail.lose()
    mail.redrive()
    mail.repeat(message)
    mail.drain(1)
    mail.assert_exactly_once()
