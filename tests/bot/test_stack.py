"""The bot as people run it: a process, on a real IRC server, remembering in a local stack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blockfold import local
from blockfold.client import Stack, of_local
from examples.bot.run import MACHINE, ROOT, STACK, story
from examples.bot.stack_memory import StackMemory
from examples.httpx.telling import Checks
from machines.remember import Memory, Playing
from tests.bot.people import PATIENCE_SECONDS, Person
from tests.bot.running import ROOM
from tests.bot.servers import python_server


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.LocalStack]:
    data = tmp_path_factory.mktemp("stack")
    try:
        yield local.up(ROOT, stack=STACK, machine=MACHINE, data=data)
    finally:
        local.down(ROOT, data=data)


@pytest.fixture(scope="module")
def stack(deployed: local.LocalStack) -> Stack:
    return of_local(deployed)


@contextmanager
def bot_process(deployed: local.LocalStack, port: int) -> Iterator[subprocess.Popen[str]]:
    """``python -m examples.bot``, ended as an operator would."""
    command = [sys.executable, "-m", "examples.bot", "--stack", STACK, "irc", "127.0.0.1"]
    options = ["--port", str(port), "--channel", ROOM, "--network", "my net"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        env=os.environ | local.environment(deployed),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()


def test_on_irc_the_next_bot_knows_what_the_last_one_was_told(
    deployed: local.LocalStack, stack: Stack, tmp_path: Path
) -> None:
    with python_server(tmp_path) as server:
        ada = Person(server.port, "Ada", ROOM)
        bob = Person(server.port, "bob", ROOM)
        with bot_process(deployed, server.port):
            ada.sees("remember")
            ada.say(ROOM, ".remember meeting is tomorrow")
            assert bob.hears("remember") == "Ada: Remembered: meeting is tomorrow"
            bob.say(ROOM, ".play start chess")
            assert bob.hears("remember").startswith("bob: bob plays chess")
            bob.say("remember", ".recall MEETING")
            assert bob.hears("remember").startswith("I remember: meeting is tomorrow (said by ada")
        ada.waits_until_gone("remember")
        with bot_process(deployed, server.port):
            ada.sees("remember")
            bob.say("remember", ".recall meeting")
            assert bob.hears("remember").startswith("I remember: meeting is tomorrow (said by ada")
    state = StackMemory(stack).state("my net")
    assert [each.subject for each in Memory.of(state).each()] == ["meeting"]
    assert [each.user for each in Playing.of(state).each()] == ["bob"]
    reader = stack.machine("my%20net")
    applied = [block.outcomes["applied"] for block in reader.blocks()]
    assert sum(applied) == 2
    assert stack.verifier.verify("my%20net").findings == []


def test_the_conversation_that_make_bot_plays(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = Checks()
    story(stack, checks)
    assert checks.failed == [], capsys.readouterr().out
    assert checks.held > 10


def test_a_server_never_heard_of_has_an_empty_memory(stack: Stack) -> None:
    assert Memory.of(StackMemory(stack).state("nowhere")).scan().items == []
