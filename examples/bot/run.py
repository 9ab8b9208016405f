"""Try the bot on a local stack: ``make bot``.

At a terminal it talks with whoever sits there, and what it is told is kept for the next time. With
no terminal it plays a conversation of several people, in which the bot is replaced half-way.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blockfold import local
from blockfold.client import Stack, of_local
from blockfold.domain.errors import BlockfoldError
from examples.bot.bot import Bot
from examples.bot.chat import Said
from examples.bot.naming import folded, machine_of
from examples.bot.stack_memory import StackMemory
from examples.bot.terminal import TerminalChat
from examples.httpx.telling import Checks, print_line, title

ROOT = Path(__file__).resolve().parents[2]
STACK = "Bot"
MACHINE = "machines.remember:Remember"
DATA = ROOT / "build" / "bot"
SERVER = "lobby"

BEFORE = (
    ("ada", ".remember meeting is tomorrow", "Remembered: meeting is tomorrow"),
    ("bob", ".recall Meeting", "I remember: meeting is tomorrow (said by ada, "),
    ("bob", ".remember wifi", "Say what it is: .remember meeting is tomorrow"),
    ("ada", ".play start chess", "ada plays chess"),
    ("bob", ".play start Chess", "bob plays chess"),
    ("bob", ".play start go", "No: bob plays chess already"),
    ("ada", ".play stop", "Stopped. ada played "),
    ("cy", ".forget lunch", "No: I remember nothing about lunch"),
)
AFTER = (
    ("bob", ".play stop", "Stopped. bob played "),
    ("cy", ".recall", "I remember: meeting"),
    ("cy", ".play stats ada", "ada played "),
    ("cy", ".play top", "Top by time: 1. "),
    ("bob", ".forget meeting", "Forgotten: meeting"),
    ("ada", ".recall meeting", "I remember nothing about meeting"),
)


def main() -> int:
    """Bring a stack up, talk, stop it; 0 if all went well."""
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    data = DATA / ("kept" if at_terminal else "scripted")
    checks = Checks()
    try:
        with running(data, fresh=not at_terminal) as stack:
            if at_terminal:
                user = folded(getpass.getuser())
                chat = TerminalChat(sys.stdin, sys.stdout, server=SERVER, user=user)
                chat.run(Bot(StackMemory(stack)).answer)
            else:
                story(stack, checks)
    except BlockfoldError as error:
        print_line(f"error: {error}")
        return 1
    if checks.failed:
        print_line(f"\n{len(checks.failed)} answers were wrong: {', '.join(checks.failed)}")
        return 1
    if not at_terminal:
        print_line(f"\nAll {checks.held} answers were right. Talk to it yourself at a terminal, or")
        print_line(
            "without any stack: .venv/bin/python -m examples.bot --local-object ~/bot terminal"
        )
    return 0


@contextmanager
def running(data: Path, *, fresh: bool) -> Iterator[Stack]:
    """A local stack of the bot's machine in a folder of its own, stopped at the end."""
    title("A local stack from the CDK template")
    try:
        stack = local.up(
            ROOT,
            stack=STACK,
            machine=MACHINE,
            fresh=fresh,
            data=data,
            report=lambda step: print_line(f"  {step}"),
        )
        yield of_local(stack)
    finally:
        local.down(ROOT, data=data)


def story(stack: Stack, checks: Checks) -> None:
    """The conversation, with another bot half-way, and the proof that the log agrees."""
    title("A conversation")
    play(Bot(StackMemory(stack)), BEFORE, checks)
    title("The bot is gone; another one takes its place")
    play(Bot(StackMemory(stack)), AFTER, checks)
    title("What is behind it")
    machine = machine_of(SERVER)
    found = stack.verifier.verify(machine)
    what = f"{found.blocks} blocks, {found.actions} actions and {found.keys} rows agree"
    checks.check(f"machine {machine}: {what}", found.findings, [])


def play(bot: Bot, lines: Iterable[tuple[str, str, str]], checks: Checks) -> None:
    """Say lines to a bot, and hold its answers against how they must begin."""
    for user, text, wanted in lines:
        print_line(f"{user}: {text}")
        answers = bot.answer(Said(SERVER, user, text))
        for answer in answers:
            print_line(f"    {answer}")
        if answers and answers[0].startswith(wanted):
            checks.held += 1
        else:
            checks.check(f"the answer to {text}", answers, wanted)


if __name__ == "__main__":
    sys.exit(main())
