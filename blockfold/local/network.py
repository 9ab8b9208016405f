"""Where the emulator listens: this machine only, one port, one region."""

from __future__ import annotations

import http.client
import random
import socket

from blockfold.local.errors import PortInUse

HOST = "127.0.0.1"
REGION = "us-east-1"
HEALTH_PATH = "/_ministack/health"
HTTP_OK = 200
PORTS = range(20_000, 30_000)


def endpoint_of(port: int) -> str:
    """The URL of an emulator on `port` of this machine."""
    return f"http://{HOST}:{port}"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now.

    It lies below the range that operating systems give to outgoing connections, so that it is
    likely to be free again when the emulator comes back to it.
    """
    while True:
        port = random.choice(PORTS)  # noqa: S311 - no secret
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def port_is_taken(port: int) -> bool:
    """Whether something answers on `port` of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def port_in_use(port: int) -> PortInUse:
    """The error for a port that is taken."""
    return PortInUse(
        f"the emulator cannot use port {port}: another process listens on {HOST}:{port}",
        hint="stop that process, or choose another port with --port",
    )


def is_healthy(port: int) -> bool:
    """Whether an emulator answers on `port`; never through a proxy."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", HEALTH_PATH)
        return connection.getresponse().status == HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
