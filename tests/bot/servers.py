"""Real IRC servers on this machine, as processes: jaraco's from PyPI, and ngircd if it is here.

``BLOCKFOLD_NGIRCD`` names ngircd's program; ``make bot-ngircd`` fetches it and sets that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blockfold.local.network import free_port, port_is_taken

NGIRCD = os.environ.get("BLOCKFOLD_NGIRCD") or None
PASSWORD = "open sesame"
PATIENCE_SECONDS = 20.0

_NGIRCD_CONF = """\
[Global]
Name = irc.test.invalid
AdminEMail = nobody@test.invalid
Info = A server for tests
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hello
{password}
[Limits]
MaxConnectionsIP = 0
MaxPenaltyTime = 0
PingTimeout = 2
PongTimeout = 5
[Options]
DNS = no
Ident = no
PAM = no
"""


@dataclass
class IrcServer:
    """A server that runs.

    Attributes:
        port: Where, on 127.0.0.1.
        process: The process; None while it is stopped.
    """

    port: int
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Start it, and wait until it takes connections."""
        self.process = self.start()
        ends = time.monotonic() + PATIENCE_SECONDS
        while not port_is_taken(self.port):
            assert self.process.poll() is None, "the IRC server ended"
            assert time.monotonic() < ends, "the IRC server does not come up"
            time.sleep(0.02)

    def down(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def python_server(folder: Path, *options: str) -> Iterator[IrcServer]:
    """``irc.server``, in this project's own Python; with options, as ``tests.bot.tls_server``."""
    port = free_port()
    module = "tests.bot.tls_server" if options else "irc.server"
    command = [sys.executable, "-m", module, "-p", str(port), *options]
    with _running(port, command, folder) as server:
        yield server


@contextmanager
def ngircd(folder: Path, password: str = "") -> Iterator[IrcServer]:
    """Debian's ngircd; it pings every two seconds, and asks for a password if one is given."""
    assert NGIRCD is not None
    port = free_port()
    config = folder / "ngircd.conf"
    line = f"Password = {password}" if password else ""
    config.write_text(_NGIRCD_CONF.format(port=port, password=line))
    config.chmod(0o644)
    with _running(port, [NGIRCD, "--nodaemon", "--config", str(config)], folder) as server:
        yield server


@contextmanager
def _running(port: int, command: list[str], folder: Path) -> Iterator[IrcServer]:
    log = folder / "irc-server.log"

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    server = IrcServer(port, start)
    try:
        server.up()
        yield server
    finally:
        server.down()
