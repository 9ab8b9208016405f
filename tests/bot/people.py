"""Somebody on IRC, by a bare socket: nothing of the bot's own code or library is between."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0


class Person:
    """Connects, takes a nick, and keeps what is heard."""

    def __init__(self, port: int, nick: str, channel: str = "", password: str = "") -> None:
        self.nick = nick
        self.heard: list[str] = []
        self._rest = b""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        if password:
            self.send(f"PASS {password}")
        self.send(f"NICK {nick}")
        self.send(f"USER {nick} 0 * :{nick}")
        self.until(lambda line: f" 376 {nick}" in line or f" 422 {nick}" in line)
        if channel:
            self.send(f"JOIN {channel}")
            self.until(lambda line: f" 366 {nick} {channel}" in line)

    def send(self, line: str | bytes) -> None:
        data = line.encode() if isinstance(line, str) else line
        self._socket.sendall(data + b"\r\n")

    def say(self, target: str, text: str) -> None:
        self.send(f"PRIVMSG {target} :{text}")

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Read until such a line comes; the line."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            line = self._line()
            self.heard.append(line)
            if wanted(line):
                return line
        raise AssertionError(f"{self.nick} did not hear it, but {self.heard[-20:]}")

    def hears(self, speaker: str, part: str = "") -> str:
        """Read until somebody says something with that part in it; the text."""
        line = self.until(
            lambda each: each.startswith(f":{speaker}!") and " PRIVMSG " in each and part in each
        )
        return line.split(" :", 1)[1]

    def sees(self, nick: str) -> None:
        """Wait until somebody joins the channel."""
        self.until(lambda each: each.startswith(f":{nick}!") and " JOIN " in each)

    def waits_until_gone(self, nick: str) -> None:
        """Ask the server until it says that nobody has a nick."""
        while True:
            self.send(f"ISON {nick}")
            if not self.until(lambda each: " 303 " in each).split(" :", 1)[1].strip():
                return
            time.sleep(0.02)

    def close(self) -> None:
        self._socket.close()

    def _line(self) -> str:
        while b"\n" not in self._rest:
            data = self._socket.recv(4096)
            assert data, f"the server hung up on {self.nick}: {self.heard[-5:]}"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        if line.startswith(b"PING"):
            self._socket.sendall(b"PONG" + line[4:] + b"\r\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")
