"""The bot on real IRC servers: processes on this machine, people with bare sockets."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from blockfold.domain.errors import Misconfigured
from examples.bot.bot import Bot
from examples.bot.irc_chat import IrcChat
from tests.bot import servers
from tests.bot.certificates import certificate
from tests.bot.folded import FoldedMemory
from tests.bot.people import Person
from tests.bot.running import ROOM, bot_on, network, until
from tests.bot.servers import IrcServer

Start = Callable[[Path], AbstractContextManager[IrcServer]]
KINDS: dict[str, Start] = {"irc.server": servers.python_server}
if servers.NGIRCD is not None:
    KINDS["ngircd"] = servers.ngircd


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IrcServer]:
    with KINDS[request.param](tmp_path) as found:
        yield found


def test_a_conversation_that_the_next_bot_remembers(server: IrcServer) -> None:
    memory = FoldedMemory()
    ada = Person(server.port, "ada", ROOM)
    bob = Person(server.port, "Bob", ROOM)
    with bot_on(network(server.port), Bot(memory).answer):
        ada.sees("remember")
        ada.say(ROOM, ".remember meeting is tomorrow")
        assert bob.hears("remember") == "ada: Remembered: meeting is tomorrow"
        bob.say("remember", ".recall meeting")
        assert bob.hears("remember").startswith("I remember: meeting is tomorrow (said by ada, ")
        bob.say(ROOM, "what a day")
        bob.say(ROOM, ".weather")
        bob.say(ROOM, ".play start Chess")
        assert ada.hears("remember", "plays").startswith("Bob: bob plays chess. ")
        ada.say("remember", ".play stats BOB")
        assert ada.hears("remember", "since").startswith("bob plays chess since ")
    ada.waits_until_gone("remember")
    with bot_on(network(server.port), Bot(memory).answer):
        ada.sees("remember")
        ada.say(ROOM, ".recall meeting")
        assert ada.hears("remember", "ada: I remember").startswith(
            "ada: I remember: meeting is tomorrow (said by ada, "
        )
    assert not any("weather" in line or "what a day" in line for line in said_by_bot(bob))
    assert memory.stack.head("test%20net") == 2


def said_by_bot(person: Person) -> list[str]:
    return [line for line in person.heard if line.startswith(":remember") and "PRIVMSG" in line]


def test_a_server_that_dies_is_joined_again(server: IrcServer) -> None:
    with bot_on(network(server.port), Bot(FoldedMemory()).answer) as reports:
        until(lambda: "connected to test net as remember" in reports)
        ada = Person(server.port, "ada", ROOM)
        ada.say("remember", ".remember x is y")
        ada.hears("remember", "Remembered")
        server.down()
        until(lambda: any("connecting again" in each for each in reports))
        server.up()
        ada = Person(server.port, "ada", ROOM)
        until(lambda: sum("connected to test net" in each for each in reports) == 2)
        ada.say("remember", ".recall x")
        assert ada.hears("remember").startswith("I remember: x is y (")


def test_a_nick_that_is_taken_is_changed(server: IrcServer) -> None:
    squatter = Person(server.port, "remember", ROOM)
    with bot_on(network(server.port), Bot(FoldedMemory()).answer) as reports:
        squatter.sees("remember_")
        squatter.say("remember_", ".play top")
        assert squatter.hears("remember_") == "Nobody has finished a game yet"
    assert "connected to test net as remember_" in reports


def test_long_answers_arrive_whole_in_lines_that_fit(server: IrcServer) -> None:
    text = "wörd " * 180
    ada = Person(server.port, "ada", ROOM)
    with bot_on(network(server.port), Bot(FoldedMemory()).answer):
        ada.sees("remember")
        for start in range(3):
            ada.say(ROOM, f".remember part{start} is {text[:330]}")
        ada.hears("remember", "part2")
        ada.say(ROOM, ".recall part1")
        first = ada.hears("remember", "I remember: part1 is ")
        rest = ada.hears("remember", "… ")
    lines = [line for line in ada.heard if line.startswith(":remember!")]
    assert max(len(line.encode()) for line in lines) <= 510
    assert not any("[CUT]" in line for line in lines), "the server cut a line"
    whole = first + rest.removeprefix("…")
    assert whole.startswith(f"ada: I remember: part1 is {text[:330].strip()} (said by ada, ")
    assert whole.endswith(" UTC)")


def test_bytes_that_are_no_text_do_no_harm(server: IrcServer) -> None:
    ada = Person(server.port, "ada", ROOM)
    with bot_on(network(server.port), Bot(FoldedMemory()).answer):
        ada.sees("remember")
        if server.process is not None and "ngircd" in str(server.process.args):
            ada.send(b"PRIVMSG remember :.remember caf\xe9 is \xff\xfe")
            assert ada.hears("remember") == "Remembered: café is ÿþ"
        ada.say("remember", "\x01VERSION\x01")
        ada.say("remember", ".recall \x02x\x03")
        assert ada.hears("remember").startswith("I remember nothing about")


def test_a_server_is_trusted_by_its_certificate_only(tmp_path: Path) -> None:
    chain = certificate(tmp_path / "server.pem")
    with servers.python_server(tmp_path, str(chain)) as server:
        trusting = ssl.create_default_context(cafile=chain)
        with bot_on(network(server.port, tls=trusting), Bot(FoldedMemory()).answer) as reports:
            until(lambda: "connected to test net as remember" in reports)
        strange = network(server.port, tls=ssl.create_default_context())
        with pytest.raises(Misconfigured, match="is not trusted: self-signed"):
            IrcChat(strange).run(Bot(FoldedMemory()).answer)


@pytest.mark.skipif(servers.NGIRCD is None, reason="make bot-ngircd brings ngircd")
def test_a_real_server_s_password_is_told_to_it(tmp_path: Path) -> None:
    with servers.ngircd(tmp_path, servers.PASSWORD) as server:
        right = network(server.port, password=servers.PASSWORD)
        with bot_on(right, Bot(FoldedMemory()).answer) as reports:
            until(lambda: "connected to test net as remember" in reports)
        with pytest.raises(Misconfigured, match="refuses the password"):
            IrcChat(network(server.port, password="wrong")).run(Bot(FoldedMemory()).answer)
