"""``docs/bot.md`` says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from examples.bot import irc_lines
from examples.bot.__main__ import PASSWORD_VARIABLE, _parser
from examples.bot.bot import LISTED
from examples.bot.commands import DEFAULT_TOP, MOST_TOP
from examples.bot.irc_answers import WAITING
from examples.bot.irc_network import Network
from examples.bot.naming import machine_of
from examples.bot.run import AFTER, BEFORE
from machines.remember import MAX_NAME, MAX_TEXT

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bot.md").read_text(encoding="utf-8")


def test_the_conversation_is_the_one_that_make_bot_plays() -> None:
    said = re.findall(r"^([a-z]+): (\..+)$", PAGE, re.MULTILINE)
    assert said == [(user, text) for user, text, _ in (*BEFORE, *AFTER)]
    answers = re.findall(r"^    (\S.+)$", PAGE, re.MULTILINE)
    for (_, text, wanted), answer in zip((*BEFORE, *AFTER), answers, strict=True):
        assert answer.startswith(wanted), text


def test_the_options_are_the_command_line_s() -> None:
    named = set(re.findall(r"--(?:stack|local-object|[a-z-]+)\b", PAGE)) - {"--machine"}
    for option in named:
        arguments = {
            "--stack": ["--stack", "x", "terminal"],
            "--local-object": ["--local-object", "x", "terminal"],
            "--server": ["terminal", "--server", "x"],
            "--user": ["terminal", "--user", "x"],
            "--tls": ["irc", "h", "--tls"],
            "--port": ["irc", "h", "--port", "1"],
        }.get(option, ["irc", "h", option, "x"])
        _parser().parse_args(arguments)
    assert {"--channel", "--tls-ca", "--nick", "--network"} <= named
    assert PASSWORD_VARIABLE in PAGE


def test_the_numbers_are_the_code_s() -> None:
    usual = Network(host="h", name="n")
    told = " ".join(PAGE.split())
    assert f"at most {MAX_NAME} characters, a text {MAX_TEXT:,}" in told
    assert f"the first {LISTED} subjects" in told
    assert f"1 to {MOST_TOP} places, {DEFAULT_TOP} if not said" in told
    assert (usual.burst, usual.seconds_a_line) == (5, 2.0)
    assert "5 lines at once, then one every two seconds" in told
    assert f"More than {WAITING} that wait" in told
    assert f"After {irc_lines.MOST_LINES} lines" in told
    assert (usual.retry_seconds, usual.longest_retry_seconds) == (1.0, 120.0)
    assert "after 1, 2, 4 … 120 s" in told
    assert usual.idle_seconds == 120.0
    assert f"`my net` is `{machine_of('my net')}`" in told
