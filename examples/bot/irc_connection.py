"""A connection to an IRC server: the library's, held against what real networks do.

The protocol is jaraco's ``irc``. What it does otherwise and what is changed here: bytes that are no
UTF-8 and lines that no server should send end the program (here they are read as well as may be,
or left out); a line may be sent in part; passwords are logged.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import irc.client  # type: ignore[import-untyped]
from jaraco.stream import buffer  # type: ignore[import-untyped]

from blockfold.domain.errors import Misconfigured, Unavailable

CONNECT_SECONDS = 20.0
SEND_SECONDS = 20.0
MAX_UNFINISHED_BYTES = 65_536
"""Of a line that does not end: eight times what IRCv3 allows with tags."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """What a server said.

    Attributes:
        type: The library's name of the command: ``pubmsg``, ``welcome`` …
        nick: Whose doing it is; empty if only the server's.
        target: To whom or about what.
        arguments: The rest.
    """

    type: str
    nick: str
    target: str
    arguments: Sequence[str]


class Connection:
    """One connection at a time to one server.

    Args:
        host: The server.
        port: Its port.
        tls: How to encrypt; None for not at all.
        heard: Told of each event, while `receive` runs.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, heard: Callable[[Event], None]
    ) -> None:
        self._address = (host, port)
        self._tls = tls
        self._reactor = irc.client.Reactor()
        self._irc = _Tolerant(self._reactor)
        self._heard = heard
        self._reactor.add_global_handler("all_events", self._pass_on)
        self.received = 0.0

    @property
    def nick(self) -> str:
        """The nick that the server knows us by."""
        return str(self._irc.get_nickname())

    @property
    def casemapping(self) -> str:
        """How the server compares nicks, as far as it said."""
        return str(getattr(self._irc.features, "casemapping", "rfc1459"))

    @property
    def stream(self) -> socket.socket | None:
        """What to wait for; None while there is no connection."""
        return self._irc.socket if self._irc.is_connected() else None

    def open(self, nick: str, password: str | None) -> None:
        """Connect and introduce ourselves.

        Raises:
            Unavailable: There is no connection; later there may be.
            Misconfigured: The server's certificate is not trusted.
        """
        where = "{}:{}".format(*self._address)
        try:
            trailing = None if password is None else f":{password}"  # it may hold spaces
            self._irc.connect(*self._address, nick, trailing, connect_factory=self._connected)
        except irc.client.ServerConnectionError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise Misconfigured(
                    f"the certificate of {where} is not trusted: {error.__cause__.verify_message}",
                    hint="name the server as its certificate does, or its authority: --tls-ca FILE",
                ) from error
            raise Unavailable(f"could not connect to {where}: {error.__cause__}") from error
        self.received = time.monotonic()

    def receive(self) -> None:
        """Read what is there, and tell of it."""
        self.received = time.monotonic()
        self._irc.process_data()

    def use_nick(self, nick: str) -> None:
        """Ask for a nick."""
        self._irc.nick(nick)

    def join(self, channel: str) -> None:
        """Enter a channel."""
        self._irc.join(channel)

    def say(self, target: str, text: str) -> None:
        """Say a line to a channel or a person."""
        self._irc.privmsg(target, text)

    def ping(self) -> None:
        """Ask the server for a sign of life."""
        self._irc.ping("are-you-there")

    def close(self, reason: str) -> None:
        """Say goodbye and hang up; without a connection, nothing."""
        self._irc.disconnect(reason)

    def _connected(self, address: tuple[str, int]) -> socket.socket:
        plain = socket.create_connection(address, timeout=CONNECT_SECONDS)
        try:
            found = self._tls.wrap_socket(plain, server_hostname=address[0]) if self._tls else plain
        except OSError:
            plain.close()
            raise
        found.settimeout(SEND_SECONDS)
        return found

    def _pass_on(self, _: object, event: Any) -> None:
        nick = event.source.nick if isinstance(event.source, irc.client.NickMask) else ""
        self._heard(Event(event.type, nick, event.target or "", tuple(event.arguments)))


class _Buffer(buffer.LenientDecodingLineBuffer):  # type: ignore[misc]
    """UTF-8, and where it is not, Latin-1."""


class _Tolerant(irc.client.ServerConnection):  # type: ignore[misc]
    buffer_class = _Buffer

    def _process_line(self, line: str) -> None:
        try:
            super()._process_line(line)
        except (ValueError, IndexError, AttributeError, TypeError, KeyError) as error:
            _log.warning("left out a line that the server sent: %r (%r)", line[:200], error)

    def process_data(self) -> None:
        """Take what is there. TLS may have something to say that is no data: that is no wait."""
        server = self.socket
        assert server is not None
        while True:
            server.settimeout(0)
            try:
                data = server.recv(2**14)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self.disconnect(f"could not receive: {error}")
                return
            finally:
                server.settimeout(SEND_SECONDS)
            if not data:
                self.disconnect("the server hung up")
                return
            self.buffer.feed(data)
            for line in self.buffer:
                if line:
                    self._process_line(line)
            if len(self.buffer) > MAX_UNFINISHED_BYTES:
                self.disconnect("a line that does not end")
            decrypted = server.pending() if isinstance(server, ssl.SSLSocket) else 0
            if self.socket is None or not decrypted:  # nobody can wait for what is read already
                return

    def send_raw(self, string: str) -> None:
        """Send all of a line; a connection that takes it no longer is closed."""
        if self.socket is None:
            _log.debug("not connected: a line is dropped")
            return
        try:
            self.socket.sendall(self._prep_message(string))
        except ValueError as error:
            _log.warning("a line that IRC cannot carry is dropped: %s", error)
        except OSError as error:
            self.disconnect(f"could not send: {error}")
