"""The bot at a terminal, in a pipe, and killed: as a process that remembers in a folder."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.bot.bot import Bot
from examples.bot.chat import Said
from examples.bot.object_memory import ObjectMemory
from examples.bot.terminal import TerminalChat

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0


def command(folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "examples.bot", "--local-object", str(folder)),
        *("terminal", "--user", "Ada", "--server", "my server"),
    ]


def test_lines_are_answered_until_they_end() -> None:
    said: list[Said] = []

    def answer(line: Said) -> list[str]:
        said.append(line)
        return ["one", "two"] if line.text else []

    out = io.StringIO()
    lines = io.StringIO("hello\r\n\n.recall x")
    TerminalChat(lines, out, server="here", user="ada").run(answer)
    assert said == [Said("here", "ada", text, True) for text in ("hello", "", ".recall x")]
    assert out.getvalue() == "one\ntwo\none\ntwo\n", "no prompts where nobody sits"


def test_an_interrupt_ends_the_chat_and_nothing_else() -> None:
    def interrupted(_: Said) -> list[str]:
        raise KeyboardInterrupt

    TerminalChat(io.StringIO("x\ny\n"), io.StringIO(), server="here", user="ada").run(interrupted)


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        for text in (b".remember caf\xc3\xa9 is \xff open\n", b".play start go\n"):
            first.stdin.write(text)
            first.stdin.flush()
            assert first.stdout.readline() != b""
        first.send_signal(signal.SIGKILL)
    asked = ".recall café\n.play stats\n.play stop\n.help\n"
    second = subprocess.run(
        command(tmp_path), cwd=ROOT, input=asked.encode(), capture_output=True, check=True
    )
    answers = second.stdout.decode().splitlines()
    assert answers[0].startswith("I remember: café is \ufffd open (said by ada, ")
    assert answers[1].startswith("ada plays go since ")
    assert answers[2].startswith("Stopped. ada played ")
    assert answers[3].startswith("I remember things")
    assert second.stderr == b""


def test_somebody_who_sits_there_is_prompted(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        seen = read_until(ours, lambda text: text.endswith("> "))
        assert "Say .help to learn what I can do" in seen
        os.write(ours, b".recall x\n")
        seen = read_until(ours, lambda text: text.endswith("> ") and "nothing" in text)
        assert "I remember nothing about x" in seen
        os.write(ours, b"\x04")
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, wanted: Callable[[str], bool]) -> str:
    text = ""
    while not wanted(text):
        text += os.read(terminal, 4096).decode()
    return text


def test_objects_keep_servers_apart_and_start_from_what_they_stored(tmp_path: Path) -> None:
    def say(memory: ObjectMemory, server: str, text: str) -> str:
        return "".join(Bot(memory).answer(Said(server, "ada", text)))

    with ObjectMemory(tmp_path) as memory:
        assert say(memory, "one", ".remember x is 1") == "Remembered: x is 1"
        assert say(memory, "two/../one", ".recall x") == "I remember nothing about x"
        assert say(memory, "two/../one", ".forget x") == "No: I remember nothing about x"
    with ObjectMemory(tmp_path) as memory:
        assert say(memory, "one", ".recall x").startswith("I remember: x is 1 (")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", "x", "--local-object", "y", "terminal"], "not allowed with argument"),
        (["--local-object", "y"], "the following arguments are required: CHAT"),
        (["--local-object", "{tmp}", "irc", "h", "--tls-ca", "/none"], "cannot be read"),
    ],
)
def test_wrong_arguments_are_told_about(arguments: list[str], said: str, tmp_path: Path) -> None:
    given = [each.replace("{tmp}", str(tmp_path)) for each in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "examples.bot", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
