"""What no polite server does, and what real ones do once a year: a server that follows a script."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from blockfold.domain.errors import Misconfigured
from examples.bot.chat import Said
from examples.bot.irc_chat import IrcChat
from tests.bot.people import PATIENCE_SECONDS
from tests.bot.running import ROOM, bot_on, network


class Script:
    """The server's end of the connections that the bot makes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_SECONDS)
        self.port: int = self._listener.getsockname()[1]

    def accept(self) -> Client:
        found, _ = self._listener.accept()
        found.settimeout(PATIENCE_SECONDS)
        return Client(found)

    def close(self) -> None:
        self._listener.close()


class Client:
    """The bot, as its server sees it."""

    def __init__(self, found: socket.socket) -> None:
        self._socket = found
        self._lines = found.makefile("rb")

    def send(self, *lines: bytes) -> None:
        self._socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def send_part(self, data: bytes) -> None:
        self._socket.sendall(data)

    def gets(self, beginning: str) -> str:
        """Read until a line begins so; the line."""
        for line in self._lines:
            if line.decode().startswith(beginning):
                return line.decode().rstrip("\r\n")
        raise AssertionError(f"the bot hung up before {beginning}")

    def welcome(self, nick: str = "remember") -> None:
        self.gets("USER")
        self.send(b":srv 001 %s :hello" % nick.encode())
        self.gets(f"JOIN {ROOM}")

    def ask(self, text: str) -> str:
        """Ask something privately; the answer."""
        self.send(b":ada!a@h PRIVMSG remember :" + text.encode())
        return self.gets("PRIVMSG ada :").split(" :", 1)[1]

    def hang_up(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._socket.close()


@pytest.fixture
def script() -> Iterator[Script]:
    found = Script()
    yield found
    found.close()


def echo(said: Said) -> list[str]:
    return [f"{said.user}, {said.text}"]


def test_pings_are_answered_while_an_answer_takes_long(script: Script) -> None:
    free = Event()

    def slow(said: Said) -> list[str]:
        assert free.wait(PATIENCE_SECONDS)
        return ["at last"]

    with bot_on(network(script.port), slow):
        client = script.accept()
        client.welcome()
        client.send(b":ada!a@h PRIVMSG remember :.recall x", b"PING :12345")
        assert client.gets("PONG") == "PONG 12345"
        free.set()
        assert client.gets("PRIVMSG") == "PRIVMSG ada :at last"


def test_lines_that_make_no_sense_are_left_out(script: Script) -> None:
    with bot_on(network(script.port), echo):
        client = script.accept()
        client.welcome()
        client.send(
            b":ada!a@h PRIVMSG remember",
            b":ada!a@h QUIT",
            b"PRIVMSG",
            b"NICK",
            b"@=;;= :x",
            b":",
            b" ",
            b":srv MODE #lobby",
            b":srv 005",
            b":srv 005 remember CASEMAPPING= PREFIX=( :are supported",
            b":ada!a@h PRIVMSG remember :\x01ACTION waves\x01",
            b":ada!a@h NOTICE remember :.recall x",
            b":remember!r@h PRIVMSG remember :.recall x",
            b"\x00\xff\xfe" * 100,
        )
        client.send(":ada!a@h PRIVMSG remember :café".encode())
        assert client.gets("PRIVMSG") == "PRIVMSG ada :ada, café"


def test_people_are_the_same_as_the_server_compares_them(script: Script) -> None:
    with bot_on(network(script.port), lambda said: [said.user, said.same("A[B]")]):
        client = script.accept()
        client.welcome()
        client.send(b":Ad[A]!a@h PRIVMSG remember :x")
        assert client.gets("PRIVMSG") == "PRIVMSG Ad[A] :ad{a}"
        assert client.gets("PRIVMSG") == "PRIVMSG Ad[A] :a{b}"
        client.send(b":srv 005 remember CASEMAPPING=ascii :are supported by this server")
        client.send(b":Ad[A]!a@h PRIVMSG remember :x")
        assert client.gets("PRIVMSG") == "PRIVMSG Ad[A] :ad[a]"


def test_a_server_that_says_nothing_is_asked_and_then_left(script: Script) -> None:
    with bot_on(network(script.port, idle_seconds=0.1), echo):
        first = script.accept()
        first.welcome()
        first.gets("PING")
        first.send(b":srv PONG srv :are-you-there")
        first.gets("PING")
        with pytest.raises(AssertionError, match="hung up"):
            first.gets("nothing more")
        second = script.accept()
        second.welcome()
        assert second.ask("hello") == "ada, hello"


def test_answers_wait_for_the_connection_to_come_back(script: Script) -> None:
    free = Event()

    def slow(said: Said) -> list[str]:
        assert free.wait(PATIENCE_SECONDS)
        return ["done"]

    with bot_on(network(script.port), slow):
        first = script.accept()
        first.welcome()
        first.send(b":ada!a@h PRIVMSG #lobby :.remember x is y")
        first.send(b"ERROR :Closing Link: restart")
        first.hang_up()
        second = script.accept()
        free.set()
        second.welcome()
        assert second.gets("PRIVMSG") == "PRIVMSG #lobby :ada: done"


def test_nicks_are_tried_until_one_is_free(script: Script) -> None:
    with bot_on(network(script.port), echo):
        client = script.accept()
        client.gets("USER")
        for taken, follows in (("remember", "remember_"), ("remember_", "remember2")):
            client.send(b":srv 433 * %s :in use" % taken.encode())
            assert client.gets("NICK") == f"NICK {follows}"
        client.send(b":srv 001 remember2 :hello")
        assert client.gets("JOIN") == f"JOIN {ROOM}"
        client.send(b":srv 433 remember2 other :in use")
        client.send(b":ada!a@h PRIVMSG remember2 :hello")
        assert client.gets("PRIVMSG") == "PRIVMSG ada :ada, hello"
        client.send(b":Remember!r@h QUIT :bye")
        assert client.gets("NICK") == "NICK remember"


def test_thrown_out_it_stays_out_until_it_is_invited(script: Script) -> None:
    with bot_on(network(script.port), echo) as reports:
        client = script.accept()
        client.welcome()
        client.send(b":op!o@h KICK #lobby remember :away")
        client.send(b":ada!a@h INVITE remember #elsewhere")
        client.send(b":ada!a@h INVITE remember #lobby")
        assert client.gets("JOIN") == f"JOIN {ROOM}"
    assert "op kicked me out of #lobby; invite me back there" in reports


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b":srv 464 * :Password incorrect", "refuses the password"),
        (b":srv 465 * :You are banned", "refuses us: we are banned"),
        (b":srv 432 * remember :Erroneous nickname", "refuses the nick"),
    ],
)
def test_what_will_never_work_ends_the_chat(script: Script, line: bytes, what: str) -> None:
    def refuse() -> None:
        client = script.accept()
        client.gets("USER")
        client.send(line)

    thread = Thread(target=refuse)
    thread.start()
    with pytest.raises(Misconfigured, match=what):
        IrcChat(network(script.port)).run(echo)
    thread.join(PATIENCE_SECONDS)


def test_a_line_without_end_is_no_reason_to_take_all_memory(script: Script) -> None:
    with bot_on(network(script.port), echo) as reports:
        first = script.accept()
        first.welcome()
        first.send(b"x" * 30_000)
        assert first.ask("hello") == "ada, hello"
        first.send_part(b"y" * 70_000)
        second = script.accept()
        second.welcome()
        assert second.ask("hello") == "ada, hello"
    assert any("does not end" in each for each in reports)


def test_a_flood_of_people_is_answered_in_part_and_told_once(script: Script) -> None:
    free = Event()

    def slow(said: Said) -> list[str]:
        assert free.wait(PATIENCE_SECONDS)
        return ["answer"]

    with bot_on(network(script.port), slow):
        client = script.accept()
        client.welcome()
        client.send(*[b":ada!a@h PRIVMSG remember :.recall x"] * 200, b"PING :x")
        client.gets("PONG")
        free.set()
        client.send(b"PING :last")
        said = []
        while (line := client.gets("P")).startswith(("PRIVMSG", "PONG")):
            said.append(line)
            if len([each for each in said if each.startswith("PRIVMSG")]) == 31:
                break
    assert sum("behind" in line for line in said) == 1


def test_lines_come_no_faster_than_flood_control_lets_them(script: Script) -> None:
    def much(_: Said) -> list[str]:
        return [str(each) for each in range(10)]

    with bot_on(network(script.port, burst=4, seconds_a_line=1e6, last_seconds=0), much):
        client = script.accept()
        client.welcome()
        client.send(b":ada!a@h PRIVMSG remember :x")
        client.gets("PRIVMSG ada :2")  # the third; the first of four was JOIN
        for _ in range(3):
            client.send(b"PING :still-there")
            assert client.gets("P") == "PONG still-there"
