"""Where the bot is on IRC, and how it behaves there."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An IRC network, as its operator describes it.

    Attributes:
        host: The server.
        port: Its port.
        name: The network's name: what is said there is remembered under it. The operator's word,
            not the server's: another server could take its name otherwise.
        nick: How the bot wants to be called.
        channels: Where it listens; people can talk to it privately everywhere.
        password: The server's password, or None.
        tls: How to encrypt, or None.
        burst: Lines that it says at once.
        seconds_a_line: How long it waits for each line after these.
        idle_seconds: Without a sign of life for so long, the server is asked for one; after twice
            that, the connection counts as lost.
        retry_seconds: Before the first try to connect again; twice that before the next …
        longest_retry_seconds: … and at most.
        last_seconds: When it is to end: how long it stays to say what is to be said still.
    """

    host: str
    port: int = 6667
    name: str
    nick: str = "remember"
    channels: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    burst: int = 5
    seconds_a_line: float = 2.0
    idle_seconds: float = 120.0
    retry_seconds: float = 1.0
    longest_retry_seconds: float = 120.0
    last_seconds: float = 10.0
