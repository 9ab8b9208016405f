"""The quick session: what it sends and reads by itself, and what it leaves to botocore's."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session, create_urllib3_context
from moto import mock_aws

from blockfold.adapters.clients import Clients
from blockfold.adapters.system import AlarmGuard
from blockfold.adapters.transport import MAX_HEAD_BYTES, QuickSession, quick
from blockfold.domain.errors import OutOfTime
from blockfold.local.network import HOST
from tests.bot.certificates import certificate

Play = Callable[[socket.socket], None]
"""What the server does with one connection."""

WAIT = 0.3


def request_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """The next request's head and body; nothing if the client hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b"", b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def whole(content: bytes, *more: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/plain", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, *more, "", ""]).encode() + content


def echo(connection: socket.socket) -> None:
    """Answer every request with its body."""
    while (got := request_of(connection))[0]:
        connection.sendall(whole(got[1]))


def once(answer: bytes) -> Play:
    def play(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer)

    return play


class Server:
    """Plays its parts, one for each connection; the last one for all that follow."""

    def __init__(self, *plays: Play, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_server((HOST, 0))
        self._plays = plays
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://{HOST}:{self._socket.getsockname()[1]}"
        self.accepted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            play = self._plays[min(self.accepted, len(self._plays) - 1)]
            self.accepted += 1
            threading.Thread(target=self._play, args=(play, connection), daemon=True).start()

    def _play(self, play: Play, connection: socket.socket) -> None:
        try:
            with connection:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                play(connection)
        except OSError:
            pass  # the client hung up

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*plays: Play, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(*plays, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Other(URLLib3Session):
    """botocore's session, and what was left to it."""

    def __init__(self, verify: bool | str = True) -> None:
        super().__init__(timeout=2, verify=verify)
        self.sent: list[AWSPreparedRequest] = []

    def send(self, request: AWSPreparedRequest) -> Any:
        self.sent.append(request)
        return super().send(request)


def served_by(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def session_to(
    server: Server, *, other: URLLib3Session | None = None, verify: bool | str = True, kept: int = 4
) -> QuickSession:
    return QuickSession(other or Other(), server.url.partition(":")[0], verify, 2, WAIT, kept)


def asking(
    url: str, body: object = b"hello", headers: dict[str, Any] | None = None, **more: Any
) -> AWSPreparedRequest:
    if url.count("/") == 2 and "?" not in url:
        url += "/"  # as botocore has it
    given = {"Content-Length": str(len(body)), **(headers or {})} if body else {}  # type: ignore[arg-type]
    return AWSPreparedRequest(
        more.pop("method", "POST"), url, given, body, more.pop("stream", False)
    )  # type: ignore[arg-type]


def test_a_request_is_one_write(serve: Callable[..., Server]) -> None:
    reads: list[bytes] = []

    def play(connection: socket.socket) -> None:
        reads.append(connection.recv(65536))
        connection.sendall(whole(b"fine", "X-Amz-Crc32: 7"))

    server = serve(play)
    answer = session_to(server).send(asking(server.url + "/a?b=c", headers={"X-Is": b"bytes"}))
    assert (answer.status_code, answer.content, answer.headers["x-amz-crc32"]) == (
        200,
        b"fine",
        "7",
    )
    head, _, body = reads[0].partition(b"\r\n\r\n")
    assert body == b"hello"
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /a?b=c HTTP/1.1"
    assert f"Host: {server.url.removeprefix('http://')}" in lines
    assert "X-Is: bytes" in lines


def test_connections_are_kept(serve: Callable[..., Server]) -> None:
    server = serve(echo)
    session = session_to(server)
    for each in (b"1", b"2" * 300_000, b"3"):
        assert session.send(asking(server.url, each)).content == each
    assert server.accepted == 1
    session.close()
    assert session.send(asking(server.url, b"4")).content == b"4"
    assert server.accepted == 2


@pytest.mark.parametrize(
    "ends",
    [
        once(whole(b"x")),
        once(whole(b"x", "Connection: close")),
        once(b"HTTP/1.0" + whole(b"x")[8:]),
    ],
    ids=["hangs up", "says so", "HTTP/1.0"],
)
def test_a_connection_that_was_closed_is_not_used(serve: Callable[..., Server], ends: Play) -> None:
    server = serve(ends, echo)
    session = session_to(server)
    assert session.send(asking(server.url)).content == b"x"
    time.sleep(0.05)
    assert session.send(asking(server.url)).content == b"hello"
    assert server.accepted == 2


def test_an_answer_may_come_byte_by_byte(serve: Callable[..., Server]) -> None:
    def play(connection: socket.socket) -> None:
        request_of(connection)
        for each in whole(b"slowly"):
            connection.sendall(bytes([each]))
            time.sleep(0.001)

    server = serve(play)
    assert session_to(server).send(asking(server.url)).content == b"slowly"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ConnectionClosedError),
        (b"HTTP/1.1 200 OK\r\nContent-Le", ConnectionClosedError),
        (whole(b"whole")[:-2], ConnectionClosedError),
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_what_is_no_answer_is_an_error(
    serve: Callable[..., Server], answer: bytes, error: type[HTTPClientError]
) -> None:
    server = serve(once(answer), echo)
    session = session_to(server)
    with pytest.raises(error, match=server.url):
        session.send(asking(server.url))
    assert session.send(asking(server.url)).content == b"hello"
    assert server.accepted == 2


def test_each_server_has_its_own_connections(serve: Callable[..., Server]) -> None:
    """An account may have an endpoint of its own, which the client learns from its credentials."""
    servers = serve(echo), serve(echo)
    session = session_to(servers[0])
    for turn in range(3):
        for server in servers:
            sent = f"{turn} to {server.url}".encode()
            assert session.send(asking(server.url, sent)).content == sent
    assert [server.accepted for server in servers] == [1, 1]


def test_silence_ends(serve: Callable[..., Server]) -> None:
    def play(connection: socket.socket) -> None:
        request_of(connection)
        time.sleep(3 * WAIT)
        connection.sendall(whole(b"too late"))

    server = serve(play, echo)
    session = session_to(server)
    with pytest.raises(ReadTimeoutError):
        session.send(asking(server.url))
    time.sleep(3 * WAIT)
    assert session.send(asking(server.url)).content == b"hello"


def test_an_alarm_leaves_no_answer_behind(serve: Callable[..., Server]) -> None:
    """Else the next request would be given the answer of the one before."""

    def play(connection: socket.socket) -> None:
        request_of(connection)
        time.sleep(0.2)
        echo(connection)

    server = serve(play, echo)
    session = QuickSession(Other(), "http", True, 2, 5, 4)
    guard = AlarmGuard(0.05)
    with pytest.raises(OutOfTime), guard():
        session.send(asking(server.url, b"first"))
    assert session.send(asking(server.url, b"second")).content == b"second"


def test_no_server() -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    session = QuickSession(Other(), "http", True, 2, 2, 4)
    with pytest.raises(EndpointConnectionError):
        session.send(asking(f"http://{HOST}:{port}/"))


def test_a_connection_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def patient(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", patient)
    with pytest.raises(ConnectTimeoutError):
        QuickSession(Other(), "http", True, 2, 2, 4).send(asking(f"http://{HOST}:1/"))


def test_threads_get_their_own_answers(serve: Callable[..., Server]) -> None:
    server = serve(echo)
    session = session_to(server, kept=3)
    wrong: list[bytes] = []

    def ask(name: int) -> None:
        for turn in range(50):
            sent = f"{name}/{turn}".encode() * (1 + 2000 * (turn % 2))
            if session.send(asking(server.url, sent)).content != sent:
                wrong.append(sent)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    (origin,) = session._origins.values()
    assert len(origin.kept) <= 3 + len(threads) - 1  # two may see the last place free at once


class TestUnusual:
    """Left to botocore's session."""

    @pytest.mark.parametrize(
        "made",
        [
            lambda url: asking(url, headers={"Host": "elsewhere"}),
            lambda url: asking(url, headers={"Expect": "nothing"}),
            lambda url: asking(url, "text"),
            lambda url: asking(url, bytearray(b"array")),
            lambda url: asking(url, stream=True),
            lambda url: asking(url + "?query"),
            lambda url: asking(url, headers={"X-Umlaut": "ä"}),
            lambda url: asking(url, method="PUT"),
        ],
        ids=["host", "expect", "text", "bytearray", "stream", "no path", "umlaut", "method"],
    )
    def test_request(
        self, serve: Callable[..., Server], made: Callable[[str], AWSPreparedRequest]
    ) -> None:
        server = serve(echo)
        other = Other()
        session = session_to(server, other=other)
        session.send(made(server.url))
        assert len(other.sent) == 1
        assert session.send(asking(server.url)).content == b"hello"
        assert len(other.sent) == 1

    def test_scheme(self, serve: Callable[..., Server]) -> None:
        server = serve(echo)
        for scheme, url in [("https", server.url), ("http", server.url.replace("http", "HTTP"))]:
            other = Other()
            QuickSession(other, scheme, True, 2, 2, 4).send(asking(url))
            assert len(other.sent) == 1

    def test_password(self, serve: Callable[..., Server]) -> None:
        server = serve(echo)
        other = Other()
        url = server.url.replace("://", "://user:password@")
        session_to(server, other=other).send(asking(url))
        assert len(other.sent) == 1

    def test_patience_of_its_own(self, serve: Callable[..., Server]) -> None:
        server = serve(echo)
        other = Other()
        request = asking(server.url)
        request.context = {"read_timeout": 1}  # type: ignore[attr-defined]
        session_to(server, other=other).send(request)
        assert other.sent == [request]

    @pytest.mark.parametrize("value", ["b\r\nX-C: d", "b\nX-C: d", "b\r"])
    def test_a_header_that_would_be_two(self, serve: Callable[..., Server], value: str) -> None:
        server = serve(echo)
        with pytest.raises(HTTPClientError, match="header"):
            session_to(server).send(asking(server.url, headers={"X-A": value}))

    @pytest.mark.parametrize("length", ["3", "7", None])
    def test_a_length_that_is_wrong(self, serve: Callable[..., Server], length: str | None) -> None:
        server = serve(lambda connection: time.sleep(WAIT))
        other = Other()
        request = asking(server.url)
        del request.headers["Content-Length"]
        if length:
            request.headers["Content-Length"] = length
        with pytest.raises(HTTPClientError):
            session_to(server, other=other).send(request)
        assert other.sent == [request]

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\nhello",
            b"HTTP/1.1 100 Continue\r\n\r\n" + whole(b"hello"),
            whole(b"hello") + b"more",
            whole(b"hello", "X-Twice: 1", "X-Twice: 2"),
            whole(b"hello", "X-Long: begins", "  and goes on"),
            b"220 mail.example.com ESMTP\r\n\r\n",
            b"HTTP/1.1 yes OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"x" * 3 * MAX_HEAD_BYTES,
        ],
        ids=[
            "chunks",
            "no length",
            "a long length",
            "continue",
            "too long",
            "twice",
            "folded",
            "no HTTP",
            "no status",
            "no header",
            "endless",
        ],
    )
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
    def test_answer(
        self,
        serve: Callable[..., Server],
        certificates: Callable[[Sequence[str]], Path],
        answer: bytes,
        tls: bool,
    ) -> None:
        """The retry of botocore goes by its own session, and all that follows."""
        path = certificates([HOST])
        server = serve(once(answer), echo, tls=served_by(path) if tls else None)
        other = Other(verify=str(path))
        session = session_to(server, other=other, verify=str(path))
        with pytest.raises(ConnectionClosedError, match=server.url):
            session.send(asking(server.url))
        for sent in (b"first", b"second"):
            assert session.send(asking(server.url, sent)).content == sent
        assert len(other.sent) == 2


def client_of(url: str | None, config: Config | None = None, **options: Any) -> Any:
    session = boto3.Session("access", "secret", region_name="eu-west-1")
    client = session.client("dynamodb", endpoint_url=url, config=config, **options)
    return quick(client, connect=1, read=1, kept=1)


def is_quick(client: Any) -> bool:
    return isinstance(client._endpoint.http_session, QuickSession)


class TestClients:
    def test_the_client_is_quick(self) -> None:
        """With the pinned botocore; with another one it may be slower, and works."""
        assert is_quick(Clients(boto3.Session(region_name="eu-west-1")).dynamodb)
        assert is_quick(client_of(None))

    @pytest.mark.parametrize(
        ("url", "options"),
        [
            ("https://[::1]:8000", {"verify": False}),
            (None, {"config": Config(proxies={"https": "http://127.0.0.1:9"})}),
            (None, {"config": Config(client_cert="/some/certificate.pem")}),
            (None, {"config": Config(tcp_keepalive=True)}),
        ],
        ids=["unverified", "proxy", "certificate", "keepalive"],
    )
    def test_what_only_botocore_knows_stays(self, url: str | None, options: Any) -> None:
        assert not is_quick(client_of(url, **options))

    def test_a_proxy_of_the_environment_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert not is_quick(client_of(None))

    def test_another_build_of_botocore_stays(self) -> None:
        client = client_of("http://127.0.0.1:9", verify=False)
        client._endpoint.http_session = theirs = Other()
        quick(client, connect=1, read=1, kept=1)
        assert client._endpoint.http_session is theirs
        for name in ("_verify", "_proxy_config", "_cert_file", "_socket_options"):
            client = client_of("http://127.0.0.1:9", verify=False)
            client._endpoint.http_session = changed = URLLib3Session(
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
            )
            vars(changed).pop(name)
            quick(client, connect=1, read=1, kept=1)
            assert is_quick(client) == (name == "_verify"), "over http nothing is verified"
        del client._endpoint
        assert quick(client, connect=1, read=1, kept=1) is client

    def test_moto_stands_above(self) -> None:
        with mock_aws():
            client = client_of(None)
            assert is_quick(client)
            assert client.list_tables()["TableNames"] == []

    def test_errors_are_retried_as_ever(self, serve: Callable[..., Server]) -> None:
        tables = json.dumps({"TableNames": ["t"]}).encode()
        server = serve(once(b""), once(whole(tables)[:-3]), once(whole(tables)))
        config = Config(retries={"mode": "standard", "total_max_attempts": 3})
        assert client_of(server.url, config).list_tables()["TableNames"] == ["t"]
        assert server.accepted == 3


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str]], Path]:
    """Makes certificates that sign themselves, with key, for some names."""

    def make(names: Sequence[str]) -> Path:
        return certificate(tmp_path_factory.mktemp("tls") / "certificate.pem", names)

    return make


class TestTls:
    def test_the_same_flags_as_botocore(
        self, serve: Callable[..., Server], certificates: Callable[[Sequence[str]], Path]
    ) -> None:
        """Python's own default differs from 3.13 on: stricter with some chains, laxer with some."""
        path = certificates([HOST])
        server = serve(echo, tls=served_by(path))
        session = session_to(server, verify=str(path))
        session.send(asking(server.url))
        ours, theirs = session._context, create_urllib3_context()
        assert ours is not None
        assert (ours.verify_flags, ours.options) == (theirs.verify_flags, theirs.options)
        assert ours.minimum_version == theirs.minimum_version
        assert ours.check_hostname
        assert ours.verify_mode is ssl.CERT_REQUIRED

    def test_certificates_that_are_not_there(self, serve: Callable[..., Server]) -> None:
        server = serve(echo)
        session = QuickSession(Other(), "https", "/no/such/file.pem", 2, 2, 4)
        with pytest.raises(SSLError, match="No such file"):
            session.send(asking(server.url.replace("http", "https")))

    def test_who_is_trusted(
        self, serve: Callable[..., Server], certificates: Callable[[Sequence[str]], Path]
    ) -> None:
        mine, wrong = certificates([HOST]), certificates(["elsewhere.example"])
        for path, trusted, fine in [
            (mine, mine, True),
            (mine, wrong, False),
            (mine, True, False),
            (wrong, wrong, False),
        ]:
            server = serve(echo, tls=served_by(path))
            session = session_to(server, verify=str(trusted) if trusted is not True else True)
            if fine:
                assert session.send(asking(server.url, b"x" * 200_000)).content == b"x" * 200_000
                assert session.send(asking(server.url)).content == b"hello"
                assert server.accepted == 1
            else:
                with pytest.raises(SSLError):
                    session.send(asking(server.url))
