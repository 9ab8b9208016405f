"""The chat on an IRC network.

One thread talks to the server and is never busy with anything else, so that pings are answered in
time; another thread computes the answers, one after the other. A connection that is lost is made
again, more and more slowly. If the bot dies, the network forgets it; started again, it joins again.
What was said meanwhile it has not heard.
"""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event as Flag

from blockfold.domain.errors import Misconfigured, Unavailable
from examples.bot.chat import Answer, Said, printable
from examples.bot.irc_answers import Answers, Outbox
from examples.bot.irc_connection import Connection, Event
from examples.bot.irc_lines import Bucket, nicks, same_nick
from examples.bot.irc_network import Network

BUSY = "I am behind with my answers. Say that again in a while"

_LOOK_SECONDS = 1.0
_ENDING_SECONDS = 0.05
_FOR_GOOD = {
    "passwdmismatch": ("the password", "set it in the environment"),
    "yourebannedcreep": ("us: we are banned", "ask its operators"),
    "erroneusnickname": ("the nick", "choose another: --nick NAME"),
}
"""What will not change by trying again, as the library names it; before we are welcome."""

_log = logging.getLogger(__name__)


class IrcChat:
    """See `examples.bot.chat.Chat`.

    Args:
        network: Where.
        report: Told what happens to the connection.
    """

    def __init__(self, network: Network, report: Callable[[str], None] = _log.info) -> None:
        self._network = network
        self._report = report
        self._connection = Connection(network.host, network.port, network.tls, self._heard)
        self._bucket = Bucket(network.burst, network.seconds_a_line, time.monotonic)
        self._outbox = Outbox(self._bucket)
        self._answers = Answers(self._outbox, self._wake)
        self._nicks: Iterator[str] = iter(())
        self._registered = False
        self._behind = False
        self._fatal: Misconfigured | None = None
        self._ending = Flag()
        self._wake_from, self._wake_to = socket.socketpair()
        self._wake_from.setblocking(False)
        self._wake_to.setblocking(False)

    def run(self, answer: Answer) -> None:
        """Talk until `stop`; see `Chat`.

        Raises:
            Misconfigured: The server refuses us for good: password, nick, ban, certificate.
        """
        self._answers.start(answer)
        delay = self._network.retry_seconds
        try:
            while not self._ending.is_set():
                self._talk()
                if self._fatal is not None:
                    raise self._fatal
                if self._registered:
                    delay = self._network.retry_seconds
                self._registered = False
                if not self._ending.is_set():
                    self._report(f"connecting again in {delay:g} s")
                    self._pause(delay)
                    delay = min(delay * 2, self._network.longest_retry_seconds)
        finally:
            self._ending.set()
            self._answers.end()
            self._connection.close("bye")

    def stop(self, *_: object) -> None:
        """Let `run` end once what people said so far is answered; from any thread or signal."""
        self._ending.set()
        self._wake()

    # -- talking to the server -----------------------------------------------------------------

    def _talk(self) -> None:
        """Connect, and talk until the connection is lost."""
        self._nicks = nicks(self._network.nick)
        try:
            self._connection.open(next(self._nicks), self._network.password)
        except Unavailable as error:
            self._report(error.message)
            return
        except Misconfigured as error:
            self._fatal = error
            return
        asked = False
        ends = None
        while (server := self._connection.stream) is not None and self._fatal is None:
            if self._ending.is_set():
                ends = ends or time.monotonic() + self._network.last_seconds
                if self._is_done() or time.monotonic() > ends:
                    return
            self._say_what_may_be_said()
            readable = select.select([server, self._wake_from], [], [], self._wait())[0]
            if self._wake_from in readable:
                self._woken()
            if server in readable:
                asked = False
                self._connection.receive()
            asked = self._look_for_life(asked)

    def _say_what_may_be_said(self) -> None:
        while self._registered and self._connection.stream is not None:
            line = self._outbox.next(self._connection.nick)
            if line is None:
                break
            self._connection.say(*line)
        if not self._outbox:
            self._behind = False

    def _wait(self) -> float:
        """Seconds to wait for the server or an answer: then there may be other things to do."""
        if self._ending.is_set():
            return _ENDING_SECONDS
        look = min(_LOOK_SECONDS, self._network.idle_seconds / 2)
        return min(look, self._outbox.wait()) if self._registered and self._outbox else look

    def _look_for_life(self, asked: bool) -> bool:
        """Ask a silent server for a sign of life, or leave it; whether it was asked."""
        silent = time.monotonic() - self._connection.received
        if silent <= self._network.idle_seconds * (2 if asked else 1):
            return asked
        if asked or not self._registered:
            self._connection.close("no sign of life")
        else:
            self._connection.ping()
        return True

    # -- what it says --------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        match event.type:
            case "welcome":
                self._welcome()
            case "pubmsg" | "privmsg" if event.nick and event.arguments:
                self._take(event)
            case "nicknameinuse" | "nickcollision" | "unavailresource" if not self._registered:
                self._connection.use_nick(next(self._nicks))
            case kind if kind in _FOR_GOOD and not self._registered:
                self._fatal = self._refused(*_FOR_GOOD[kind])
            case "error" if not self._registered and "password" in _text(event).lower():
                self._fatal = self._refused(*_FOR_GOOD["passwdmismatch"])  # ngircd says it so
            case "quit" | "nick" if self._same(event.nick, self._network.nick):
                if not self._is_me(self._network.nick):  # whoever had our nick left it
                    self._connection.use_nick(self._network.nick)
            case "kick" if event.arguments and self._is_me(event.arguments[0]):
                self._report(f"{event.nick} kicked me out of {event.target}; invite me back there")
            case "invite" if event.arguments and event.arguments[0] in self._network.channels:
                self._connection.join(event.arguments[0])  # nobody else decides where it listens
            case "error" | "disconnect" | "nosuchchannel" | "bannedfromchan" | "inviteonlychan":
                self._report(f"{self._network.name}: {event.type} {_text(event)}".strip())

    def _welcome(self) -> None:
        self._registered = True
        self._report(f"connected to {self._network.name} as {self._connection.nick}")
        for channel in self._network.channels:
            self._bucket.take()
            self._connection.join(channel)

    def _take(self, event: Event) -> None:
        """Have a line answered, unless too many wait."""
        private = event.type == "privmsg"
        if self._is_me(event.nick) or self._ending.is_set():
            return
        mapping = self._connection.casemapping
        said = Said(
            self._network.name,
            same_nick(event.nick, mapping),
            event.arguments[0],
            private,
            lambda name: same_nick(name, mapping),
        )
        target = event.nick if private else event.target
        if self._answers.ask(said, target, "" if private else f"{event.nick}: "):
            return
        _log.warning("too much waits: a line of %s is not answered", said.user)
        if not self._behind and said.text.lstrip().startswith("."):
            self._behind = True
            self._outbox.add(target, BUSY)

    # -- inside ----------------------------------------------------------------------------------

    def _is_me(self, nick: str) -> bool:
        return self._same(nick, self._connection.nick)

    def _same(self, one: str, other: str) -> bool:
        mapping = self._connection.casemapping
        return same_nick(one, mapping) == same_nick(other, mapping)

    def _is_done(self) -> bool:
        return self._answers.idle and not self._outbox

    def _refused(self, what: str, hint: str) -> Misconfigured:
        return Misconfigured(f"{self._network.host} refuses {what}", hint=hint)

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._ending.is_set() and (left := ends - time.monotonic()) > 0:
            if select.select([self._wake_from], [], [], left)[0]:
                self._woken()

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_from.recv(4096):
                pass

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # it is full, so the other end wakes anyway
            self._wake_to.send(b".")


def _text(event: Event) -> str:
    """What a server said, in one string."""
    return printable(" ".join((event.target, *event.arguments)).strip())
