"""A connection that ends in the middle of an answer: asked again, never taken for an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from blockfold.adapters.clients import Clients
from blockfold.adapters.whole_answers import ATTEMPTS
from blockfold.bootstrap import Adapters
from blockfold.domain.errors import Unavailable
from blockfold.local.network import HOST
from blockfold.ports import Announcement, Check
from blockfold.settings import Settings

SENT = {"MessageId": "id", "SequenceNumber": "1"}
ITEM = {"Item": {"machine": {"S": "m"}, "flushed": {"N": "7"}}}
LIST = (
    b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Cutter(ThreadingHTTPServer):
    """Answers with `body`; the first `cuts` answers end in the middle."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.body = b""
        self.cuts = 0
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Cutter

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server = self.server
        server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        whole = server.asked > server.cuts
        if self.command != "HEAD":
            self.wfile.write(server.body if whole else server.body[: len(server.body) // 2])

    do_GET = do_POST = do_PUT = do_HEAD = _answer  # noqa: N815 - the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[Cutter]:
    found = Cutter()
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def adapters(server: Cutter) -> Adapters:
    session = boto3.Session("access", "secret", region_name="us-east-1")
    settings = Settings(
        blocks_table="Blocks",
        state_table="State",
        machines_table="Machines",
        snapshots_bucket="bucket",
        event_bus="bus",
        checks_queue=f"http://{HOST}/1/checks",
    )
    return Adapters(settings, Clients(session, f"http://{HOST}:{server.server_port}"))


CALLS: dict[str, tuple[bytes, Callable[[Adapters], object]]] = {
    "get a record": (json.dumps(ITEM).encode(), lambda on: on.machines.get("m")),
    "publish": (
        b'{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}',
        lambda on: on.bus.publish([Announcement("blockfold", "BlockExecuted", b"{}", 1)]),
    ),
    "ask for a check": (
        b'{"Successful": [{"Id": "0", "MessageId": "1", "MD5OfMessageBody": ""}], "Failed": []}',
        lambda on: on.checks.later([Check("m", 1, 1)]),
    ),
    "list objects": (LIST, lambda on: [*on.objects.list("machines/")]),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_cut_short_is_asked_for_again(
    server: Cutter, adapters: Adapters, name: str
) -> None:
    server.body, call = CALLS[name]
    whole = call(adapters)
    if name != "list objects":  # XML that ends early is refused by the parser, at once
        server.asked, server.cuts = 0, 2
        assert call(adapters) == whole
        assert server.asked == 3
    server.asked, server.cuts = 0, 100
    with pytest.raises(Unavailable):
        call(adapters)
    assert server.asked in {1, ATTEMPTS}


def test_what_has_a_length_and_no_body_is_whole(server: Cutter, adapters: Adapters) -> None:
    server.body = b"x" * 50
    found = adapters.objects.stat("key")
    assert found is not None
    assert (found.bytes, server.asked) == (50, 1)
