"""HTTP for small requests and answers: one write, mostly one read, on kept connections.

A commit is one small request. botocore's own session is made for any request, and takes more time
for this one than the block takes to be made. `quick` puts a `QuickSession` in front of it, which
sends what is usual and leaves to it what is not: proxies, client certificates, streams. Signing,
retries, parsing and errors stay botocore's. What stubs a client (moto, ``botocore.stub``) stands
above this and is not passed by.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from botocore import httpsession
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.client import BaseClient

MAX_HEAD_BYTES = 64 * 1024
"""Most of an answer's status line and headers."""

_READ_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_USUAL = re.compile(r"HTTP/1\.[01] [2-5][0-9][0-9]( |$)")
_LENGTH = re.compile(r"[0-9]{1,12}")
_STATUS = slice(9, 12)
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
"""Options of a connection that ``http.client`` makes, and botocore if it is asked for no others."""

_HEAD_ENDS = b"\r\n\r\n"
_UNUSUAL = frozenset({"accept-encoding", "expect", "host", "transfer-encoding"})

_Client = TypeVar("_Client", bound="BaseClient")


def quick(client: _Client, *, connect: float, read: float, kept: int) -> _Client:
    """The client itself, whose usual requests go by a `QuickSession` from now on.

    One that has anything between it and its endpoint stays as it is, and so does one of a botocore
    that is built otherwise.

    Args:
        client: Of a service whose answers have a ``Content-Length`` and are small.
        connect: Seconds that a connection may take.
        read: Seconds that each read and each write may take.
        kept: Most connections that are kept open.
    """
    endpoint: Any = getattr(client, "_endpoint", None)
    session: Any = getattr(endpoint, "http_session", None)
    url: str = client.meta.endpoint_url
    if type(session) is URLLib3Session and _is_usual(vars(session), url):
        scheme, verify = urlsplit(url).scheme, vars(session).get("_verify", False)
        endpoint.http_session = QuickSession(session, scheme, verify, connect, read, kept)
    return client


def _is_usual(session: Mapping[str, Any], url: str) -> bool:
    """Whether nothing stands between client and endpoint that only botocore's session knows."""
    proxies = session.get("_proxy_config")
    return (
        proxies is not None
        and proxies.proxy_url_for(url) is None
        and session.get("_cert_file", "unknown") is None
        and session.get("_socket_options") == _NO_DELAY
        and (urlsplit(url).scheme == "http" or bool(session.get("_verify")))
        and all(hasattr(httpsession, name) for name in ("create_urllib3_context", "get_cert_path"))
    )


class _Origin:
    """A server, and the open connections to it that nobody uses.

    Args:
        url: Its URL, without a path.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.port = parts.port or _PORTS[parts.scheme]
        self.kept: deque[HTTPConnection] = deque()
        host = f"[{self.host}]" if ":" in self.host else self.host
        name = host if self.port == _PORTS[parts.scheme] else f"{host}:{self.port}"
        self.lines = f"Host: {name}\r\nAccept-Encoding: identity"
        """The two headers that are the same in every request."""


class QuickSession:
    """Sends requests as a `botocore.httpsession.URLLib3Session` does.

    Threads may share it. A connection whose answer was not read to its end is closed, whatever
    ended the reading.

    Args:
        other: Sends what is unusual.
        scheme: ``https``, or ``http`` for a server that stands for AWS; what has another one is
            left to ``other``.
        verify: Path of the certificates that are trusted, or True for the usual ones.
        connect: Seconds that a connection may take.
        read: Seconds that each read and each write may take.
        kept: Most connections to one server that are kept open.
    """

    def __init__(
        self,
        other: URLLib3Session,
        scheme: str,
        verify: bool | str,
        connect: float,
        read: float,
        kept: int,
    ) -> None:
        self.other = other
        self._scheme = f"{scheme}://"
        self._verify = verify if scheme == "https" else False
        self._connect = connect
        self._read = read
        self._most = kept
        self._origins: dict[str, _Origin] = {}
        self._context: ssl.SSLContext | None = None
        self._is_usual = True

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request and read the answer.

        Raises:
            HTTPClientError: One of botocore's, as its own session raises them.
        """
        url = request.url
        path = url.find("/", len(self._scheme))
        origin = self._origin(url[:path]) if path >= 0 and self._is_usual else None
        sent = _written(request, url[path:], origin) if origin is not None else None
        if origin is None or sent is None:
            return self.other.send(request)
        connection = self._connection(origin, url)
        keep = False
        try:
            connection.sock.sendall(sent)
            status, headers, content, keep = _answer(connection)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except _UnusualAnswerError as error:
            self._is_usual = False  # botocore sends it again, by its own session
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        except OSError as error:
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        finally:
            if keep and len(origin.kept) < self._most:
                origin.kept.append(connection)
            else:
                connection.close()
        return AWSResponse(url, status, headers, _Whole(content))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the connections that are not in use."""
        for origin in self._origins.values():
            while origin.kept:
                origin.kept.pop().close()
        self.other.close()

    def _origin(self, url: str) -> _Origin | None:
        """The server of a URL; None if only botocore's session should talk to it."""
        found = self._origins.get(url)
        if found is None and url.startswith(self._scheme) and "@" not in url:
            found = self._origins.setdefault(url, _Origin(url))
        return found

    def _connection(self, origin: _Origin, url: str) -> HTTPConnection:
        """A kept connection that is still open, or a new one."""
        while True:
            try:
                kept = origin.kept.pop()  # the one that was used last: others may grow old
            except IndexError:
                return self._connected(origin, url)
            if not wait_for_read(kept.sock, timeout=0):
                return kept
            kept.close()  # the other side closed it, or says what nobody asked

    def _connected(self, origin: _Origin, url: str) -> HTTPConnection:
        if self._verify and self._context is None:
            self._context = _context(self._verify, url)
        try:
            if self._context is not None:
                connection: HTTPConnection = HTTPSConnection(
                    origin.host, origin.port, timeout=self._connect, context=self._context
                )
            else:
                connection = HTTPConnection(origin.host, origin.port, timeout=self._connect)
            connection.connect()
            connection.sock.settimeout(self._read)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
        return connection


def _written(request: AWSPreparedRequest, target: str, origin: _Origin) -> bytes | None:
    """A request as it is sent; None if it is no usual one."""
    body: object = request.body
    patience = getattr(request, "context", None) or {}
    if (
        request.method != "POST"
        or not isinstance(body, bytes)
        or str(request.headers.get("Content-Length")) != str(len(body))
        or request.stream_output
        or "read_timeout" in patience
    ):
        return None
    lines = [f"{request.method} {target} HTTP/1.1", origin.lines]
    for name, value in request.headers.items():
        if name.lower() in _UNUSUAL:
            return None
        lines.append(f"{name}: {_text(value)}")
    head = "\r\n".join(lines)
    if not head.isascii() or not head.count("\n") == head.count("\r") == len(lines):
        return None
    return head.encode() + _HEAD_ENDS + body


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _context(verify: bool | str, url: str) -> ssl.SSLContext:
    """Who is trusted: the same as by botocore, which is not what Python trusts by default.

    Raises:
        SSLError: The certificates cannot be read.
    """
    context: ssl.SSLContext = httpsession.create_urllib3_context()
    context.check_hostname = True
    try:
        trusted = httpsession.get_cert_path(verify)  # type: ignore[arg-type]
        context.load_verify_locations(cafile=trusted)
    except OSError as error:
        raise SSLError(endpoint_url=url, error=error) from error
    return context


class _UnusualAnswerError(Exception):
    """Not what a service answers that `quick` is meant for."""


class _Whole(BytesIO):
    """Content that was read already, as `AWSResponse` wants it."""

    def stream(self) -> Iterator[bytes]:
        """The content."""
        yield self.read()


def _answer(connection: HTTPConnection) -> tuple[int, dict[str, str], bytes, bool]:
    """Status, headers by their names in lower case, and content; whether the connection stays.

    Raises:
        OSError: The answer ends in the middle.
        _UnusualAnswerError: It is no HTTP of the usual kind, has no length, or goes on behind it.
    """
    receive = connection.sock.recv
    data = b""
    while (end := data.find(_HEAD_ENDS)) < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise _UnusualAnswerError("its head does not end")
        data += _some(receive(_READ_BYTES))
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in headers or line[0] in " \t":
            raise _UnusualAnswerError(f"a header that is none or comes twice: {line[:80]!r}")
        headers[name] = value.strip()
    length = headers.get("content-length", "")
    if not _USUAL.match(first) or not _LENGTH.fullmatch(length) or "transfer-encoding" in headers:
        raise _UnusualAnswerError(f"no answer that says how long it is: {first[:80]!r}")
    content = data[end + len(_HEAD_ENDS) :]
    missing = int(length) - len(content)
    if missing > 0:
        parts = [content]
        while missing > 0:  # all that is there: TLS would keep what is left for the next answer
            parts.append(_some(receive(_READ_BYTES)))
            missing -= len(parts[-1])
        content = b"".join(parts)
    if missing < 0:
        raise _UnusualAnswerError("it is longer than it says")
    keep = first.startswith("HTTP/1.1") and "close" not in headers.get("connection", "").lower()
    return int(first[_STATUS]), headers, content, keep


def _some(read: bytes) -> bytes:
    if not read:
        raise ConnectionError("the connection was closed in the middle of the answer")
    return read
