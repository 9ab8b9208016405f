"""What the bot answers, on the real machine, executor and reader."""

from __future__ import annotations

import pytest

from examples.bot.bot import LISTED, Bot, duration
from examples.bot.chat import Said
from examples.bot.commands import HELP
from machines.remember import MAX_NAME, MAX_TEXT
from tests.bot.folded import MINUTE, FoldedMemory, People
from tests.faults import Faults, fail


@pytest.fixture
def people() -> People:
    return People()


def test_what_was_said_is_recalled_by_everybody_also_by_another_bot(people: People) -> None:
    assert people.say(".remember meeting is tomorrow") == "Remembered: meeting is tomorrow"
    found = people.say(".recall meeting", "bob")
    assert found == "I remember: meeting is tomorrow (said by ada, 2023-11-14 22:13 UTC)"


def test_each_server_has_a_memory_of_its_own(people: People) -> None:
    people.say(".remember meeting is tomorrow")
    other = People(people.memory, server="lobby ")
    assert other.say(".recall meeting") == "I remember nothing about meeting"
    assert other.say(".play top") == "Nobody has finished a game yet"


def test_a_subject_is_the_same_however_it_is_written(people: People) -> None:
    people.say(".remember  Café   HOURS is 8 to 6")
    for subject in ("café hours", "CAFE\u0301  Hours", "cafe\u0301 hours"):
        assert people.say(f".recall {subject}").startswith("I remember: café hours is 8 to 6 ")


def test_remembering_again_replaces_and_forgetting_forgets(people: People) -> None:
    people.say(".remember meeting is today")
    people.say(".remember meeting is tomorrow")
    assert people.say(".recall").startswith("I remember: meeting")
    assert "is tomorrow (" in people.say(".recall meeting")
    assert people.say(".forget Meeting", "bob") == "Forgotten: meeting"
    assert people.say(".recall meeting") == "I remember nothing about meeting"
    assert people.say(".forget meeting") == "No: I remember nothing about meeting"
    assert people.say(".recall") == "I remember nothing yet. Say .remember meeting is tomorrow"


def test_subjects_are_listed_a_page_at_most(people: People) -> None:
    for number in range(LISTED):
        people.say(f".remember s{number:02} is x")
    assert people.say(".recall").endswith("s18 · s19")
    people.say(".remember s20 is x")
    assert people.say(".recall").endswith("s18 · s19 · and more")


def test_playing_is_counted_by_time_and_by_game(people: People) -> None:
    assert people.say(".play start Chess") == "ada plays chess. Say .play stop when you are done"
    people.wait(90)
    assert people.say(".play stats") == "ada plays chess since 2023-11-14 22:13 UTC"
    assert people.say(".play stop") == "Stopped. ada played 1 h 30 min (1 time) in all"
    people.say(".play start go")
    people.wait(15)
    people.say(".play stop")
    people.say(".play start chess")
    people.wait(5)
    people.say(".play stop")
    people.say(".play start go")
    assert people.say(".play stats ADA", "bob") == (
        "ada played 1 h 50 min (3 times) in all. chess: 1 h 35 min (2 times) · "
        "go: 15 min 0 s (1 time)\nada plays go since 2023-11-15 00:03 UTC"
    )
    assert people.say(".play stats", "bob") == "bob has not played yet"


def test_two_people_may_play_the_same_game_but_nobody_two(people: People) -> None:
    people.say(".play start chess")
    people.wait(5)
    assert people.say(".play start chess", "bob").startswith("bob plays chess")
    assert people.say(".play start go") == "No: ada plays chess already"
    assert people.say(".play start chess") == "No: ada plays chess already"
    people.wait(5)
    assert "10 min 0 s" in people.say(".play stop")
    assert "5 min 0 s" in people.say(".play stop", "bob")
    assert people.say(".play stop", "bob") == "No: bob plays nothing"


def test_the_leaderboards_rank_by_time_and_by_sessions(people: People) -> None:
    for user, minutes, sessions in (("ada", 30, 1), ("bob", 10, 2), ("cy", 10, 3)):
        for _ in range(sessions):
            people.say(".play start go", user)
            people.wait(minutes)
            people.say(".play stop", user)
    assert people.say(".play top 2") == (
        "Top by time: 1. ada 30 min 0 s (1 time) · 2. cy 30 min 0 s (3 times)"
    )
    assert people.say(".play leaderboard sessions 1") == (
        "Top by sessions: 1. cy 30 min 0 s (3 times)"
    )
    assert people.say(".play top").count("min") == 3


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (".remember", "Say what it is: .remember meeting is tomorrow"),
        (".remember meeting", "Say what it is: .remember meeting is tomorrow"),
        (".remember is tomorrow", "Of what? .remember meeting is tomorrow"),
        (".remember meeting is", "What is it? .remember meeting is …"),
        (".remember   Is  ", "Of what? .remember meeting is tomorrow"),
        (".forget", "Forget what? .forget meeting"),
        (".play", "Say .play start GAME, .play stop, .play stats [USER] or .play top [K]"),
        (".play go", "Say .play start GAME, .play stop, .play stats [USER] or .play top [K]"),
        (".play start", "Which game? .play start chess"),
        (".play top 0", "The top how many? .play top [1 to 20] [time|sessions]"),
        (".play top " + "9" * 5_000, "The top how many? .play top [1 to 20] [time|sessions]"),
        (".play top ٣", "The top how many? .play top [1 to 20] [time|sessions]"),
        (".help me", "\n".join(HELP)),
        (".nonsense", "I know no .nonsense. Ask me for .help"),
        (
            ".remember x is " + "y" * 400_000,
            f"That is too long to remember: 400,000 characters, and I take {MAX_TEXT:,}",
        ),
        (".recall " + "x" * 101, f"That name has 101 characters, and I take {MAX_NAME}"),
        (".play start " + "ß" * 51, f"That name has 102 characters, and I take {MAX_NAME}"),
        (".recall \ud800", "That name holds half a character, which I cannot write down"),
    ],
)
def test_odd_input_gets_a_helpful_answer(people: People, text: str, answer: str) -> None:
    assert people.say(text) == answer
    assert people.memory.stack.head("lobby") == 0, "nothing was to be done"


@pytest.mark.parametrize("text", ["", "hello", "...", ".5", ". help", "a .help", ".\u0301"])
def test_what_is_no_command_gets_no_answer(people: People, text: str) -> None:
    assert people.say(text) == ""


def test_in_public_it_keeps_quiet_about_commands_of_other_bots(people: People) -> None:
    assert people.say(".weather", private=False) == ""
    assert people.say(".help", private=False) != ""


def test_half_characters_in_a_text_are_told_about(people: People) -> None:
    assert "half a character" in people.say(".remember x is \ud800")


def test_all_of_unicode_and_the_largest_values_are_kept(people: People) -> None:
    text = "👩\u200d🔬" * (MAX_TEXT // 3)
    subject = "\U0001f600" * MAX_NAME
    people.say(f".remember {subject} is {text}", "\U0001f600" * MAX_NAME)
    assert text in people.say(f".recall {subject}")
    people.say('.remember #"$! is $%&', "$#!")
    assert people.say('.recall #"$!').startswith('I remember: #"$! is $%& (said by $#!')


def test_answers_hold_no_control_characters(people: People) -> None:
    people.say(".remember bell is \x07\x1b[31mred\x01\r\nQUIT\u2028x\x85y")
    found = people.say(".recall bell")
    assert "is   [31mred   QUIT x y (" in found
    assert not any(ord(each) < 32 for each in found)


def test_somebody_without_a_usable_name_is_told(people: People) -> None:
    assert people.say(".recall x", "x" * 101).startswith("I serve people whose names have 1 to 100")


def test_the_subject_ends_at_the_first_is(people: People) -> None:
    people.say(".remember what is love is a song")
    assert people.say(".recall what").startswith("I remember: what is love is a song (")
    people.say(".REMEMBER this island IS nice")
    assert people.say(".recall this island").startswith("I remember: this island is nice (")


def test_time_is_told_in_its_two_largest_units() -> None:
    told = [duration(each) for each in (0, 999, 61_000, 3600 * 1000, 90 * 86_400_000 + MINUTE)]
    assert told == ["0 s", "0 s", "1 min 1 s", "1 h 0 min", "90 d 0 h"]


def test_a_memory_that_does_not_answer_is_told_about() -> None:
    bot = Bot(FoldedMemory(faults=Faults(range(100), "before", fail)))
    write = bot.answer(Said("lobby", "ada", ".remember x is y"))
    read = bot.answer(Said("lobby", "ada", ".recall x"))
    assert write == [
        "I cannot tell whether I got that: my memory does not answer. Ask before repeating it"
    ]
    assert read == ["I cannot read my memory now. Ask again in a while"]
