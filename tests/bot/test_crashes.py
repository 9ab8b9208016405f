"""The bot, and the executor behind it, die or fail at every call that they make.

Whatever was answered as done is done; whatever was not answered is done wholly or not at all; and
nothing is done twice.
"""

from __future__ import annotations

import pytest

from examples.bot.bot import Bot
from examples.bot.chat import Said
from machines.remember import Memory, Played, Player, Playing
from tests.bot.folded import Cloud, FoldedMemory
from tests.faults import MOMENTS, Faults, Killed, Moment, fail, kill

LINES = (
    (".remember meeting is tomorrow", "Remembered: meeting is tomorrow"),
    (".play start chess", "ada plays chess"),
    (".play stop", "Stopped. ada played 1 min 0 s (1 time) in all"),
    (".forget meeting", "Forgotten: meeting"),
)


def talk(cloud: Cloud, faults: Faults, answers: list[str]) -> None:
    """Say all lines to one bot; it may die on the way."""
    bot = Bot(FoldedMemory(cloud, faults))
    for text, _ in LINES:
        answers.append("".join(bot.answer(Said("lobby", "ada", text))))
        cloud.minutes += 1


def bot_steps() -> list[str]:
    faults = Faults()
    talk(Cloud(), faults, [])
    return faults.steps


def executor_steps() -> int:
    cloud = Cloud()
    talk(cloud, Faults(), [])
    return len(cloud.executing.steps)


BOT_STEPS = bot_steps()


def test_the_steps_are_those_that_the_docs_name() -> None:
    assert [
        *("queue.send", "reader.wait") * 2,
        *("queue.send", "reader.wait", "reader.state"),
        *("queue.send", "reader.wait"),
    ] == BOT_STEPS


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", range(len(BOT_STEPS)))
def test_a_bot_that_dies_has_told_no_lies(step: int, moment: Moment) -> None:
    cloud = Cloud()
    answers: list[str] = []
    with pytest.raises(Killed):
        talk(cloud, Faults([step], moment, kill), answers)
    assert all(
        answer.startswith(wanted) for answer, (_, wanted) in zip(answers, LINES, strict=False)
    )
    cloud.deliver()
    sent = BOT_STEPS[:step].count("queue.send")
    sent += moment == "after" and BOT_STEPS[step] == "queue.send"
    assert len(answers) <= sent <= len(answers) + 1
    assert_done(cloud, sent)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", range(len(BOT_STEPS)))
def test_a_call_that_fails_is_told_about_and_the_bot_goes_on(step: int, moment: Moment) -> None:
    cloud = Cloud()
    answers: list[str] = []
    talk(cloud, Faults([step], moment, fail), answers)
    doubts = [answer for answer in answers if answer.startswith("I cannot tell whether")]
    assert len(doubts) == 1
    assert len(answers) == len(LINES)
    assert cloud.sent == (3 if BOT_STEPS[step] == "queue.send" and moment == "before" else 4)
    assert FoldedMemory(cloud).stack.verify("lobby").ok


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("strike", [kill, fail])
def test_whatever_happens_to_the_executor_the_answers_are_the_same(
    moment: Moment, strike: object
) -> None:
    for step in range(executor_steps()):
        cloud = Cloud(executing=Faults([step], moment, strike))  # type: ignore[arg-type]
        answers: list[str] = []
        talk(cloud, Faults(), answers)
        for answer, (_, wanted) in zip(answers, LINES, strict=True):
            assert answer.startswith(wanted), (step, answers)
        cloud.deliver()
        assert_done(cloud, len(LINES))


def assert_done(cloud: Cloud, count: int) -> None:
    """The first so many lines are done, each once, and nothing else."""
    memory = FoldedMemory(cloud)
    assert sum(block.actions for block in cloud.stack.blocks("lobby")) == count
    assert all(block.outcomes["applied"] == block.actions for block in cloud.stack.blocks("lobby"))
    state = memory.state("lobby")
    assert (Memory.of(state).get("meeting") is not None) == (1 <= count < 4)
    assert (Playing.of(state).get("ada") is not None) == (count == 2)
    assert [(each.game, each.sessions) for each in Played.of(state).each()] == (
        [("chess", 1)] if count >= 3 else []
    )
    assert [each.sessions for each in Player.of(state).top("sessions", 9)] == [1] * (count >= 3)
    if count:
        assert cloud.stack.verify("lobby").ok
