"""The fault proxy does what it says, seen from both of its sides."""

from __future__ import annotations

import http.client
import json
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from blockfold.local.network import HOST
from tests.soak.proxy import Fault, FaultProxy
from tests.soak.shapes import Call, call_of

TARGETS = {"dynamodb": "DynamoDB_20120810.PutItem", "sqs": "AmazonSQS.SendMessage"}
ANSWER = json.dumps({"answer": "x" * 200}).encode()


class Service:
    """A server that notes each body that reaches it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                service.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.server.shutdown()
    found.server.server_close()


@contextmanager
def proxy(service: Service, rate: float, *, seed: int = 1) -> Iterator[tuple[FaultProxy, int]]:
    found = FaultProxy(service.port, seed=seed, rates={"dynamodb": rate}, late=0.3)
    port = found.start()
    yield found, port
    found.stop()


def send(port: int, body: bytes, service: str = "dynamodb") -> tuple[int, bytes] | None:
    """Status and body of the answer; None if the connection ended without a whole one."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("POST", "/", body, {"X-Amz-Target": TARGETS[service]})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_each_fault_is_what_its_name_says(service: Service) -> None:
    met: Counter[Fault] = Counter()
    with proxy(service, 1.0) as (found, port):
        for number in range(3 * len(Fault)):
            before, body = Counter(found.faults), b"%d" % number
            answer = send(port, body)
            ((_, fault),) = found.faults - before
            met[fault] += 1
            if fault is Fault.LATE:
                assert answer is None
                eventually(lambda: found.settle(0.1))
            reached = service.bodies.count(body)
            match fault:
                case Fault.LOST_REQUEST:
                    assert (answer, reached) == (None, 0)
                case Fault.LOST_ANSWER | Fault.CUT_ANSWER | Fault.LATE:
                    assert (answer, reached) == (None, 1)
                case Fault.DELAYED:
                    assert (answer, reached) == ((200, ANSWER), 1)
                case Fault.TWICE:
                    assert (answer, reached) == ((200, ANSWER), 2)
                case Fault.FAILED:
                    assert (answer and answer[0], reached) == (500, 0)
                case Fault.FAILED_AFTER:
                    assert (answer and answer[0], reached) == (500, 1)
                case Fault.THROTTLED:
                    assert (answer and answer[0], reached) == (400, 0)
    assert met == dict.fromkeys(Fault, 3), "each kind once before any comes again"


def test_what_is_let_through_is_not_changed(service: Service) -> None:
    with proxy(service, 0.0) as (found, port):
        bodies = [bytes(range(256)) * 400, b"", b"\r\n\r\n"]
        assert [send(port, body) for body in bodies] == [(200, ANSWER)] * 3
        assert service.bodies == bodies
        assert found.requests == {"dynamodb": 3}
        assert not found.faults


def test_only_services_with_a_rate_meet_faults(service: Service) -> None:
    with proxy(service, 1.0) as (found, port):
        for _ in range(20):
            assert send(port, b"x", "sqs") == (200, ANSWER)
        found.set_rates({})
        assert send(port, b"x") == (200, ANSWER)
        assert not found.faults


def test_the_same_seed_gives_the_same_faults(service: Service) -> None:
    stories = []
    for seed in (7, 7, 8):
        story: list[str] = []
        found = FaultProxy(
            service.port, seed=seed, rates={"dynamodb": 0.5}, tell=story.append, late=0.1
        )
        port = found.start()
        for _ in range(25):
            send(port, b"x")
        found.stop()
        stories.append(story)
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]


def test_while_held_nothing_passes_and_late_requests_wait(service: Service) -> None:
    with proxy(service, 1.0) as (found, port):
        while not any(fault is Fault.LATE for _, fault in found.faults):
            service.bodies.clear()
            send(port, b"late")
        found.hold()
        assert send(port, b"held") is None
        time.sleep(0.4)
        assert b"late" not in service.bodies
        found.release()
        assert found.settle()
        assert service.bodies == [b"late"]


@pytest.mark.parametrize("name", ["dynamodb", "sqs", "s3", "events", "lambda", "stepfunctions"])
def test_errors_have_the_shape_of_their_service(service: Service, name: str) -> None:
    """The SDK reads a code out of them, and it is one that it would retry."""
    calls = {
        "dynamodb": ("list_tables", {}),
        "sqs": ("list_queues", {}),
        "s3": ("list_buckets", {}),
        "events": ("list_rules", {}),
        "lambda": ("invoke", {"FunctionName": "f"}),
        "stepfunctions": ("list_state_machines", {}),
    }
    rates = dict.fromkeys(("dynamodb", "sqs", "s3", "events", "lambda", "states"), 1.0)
    found = FaultProxy(service.port, seed=1, rates=rates, late=0.01)
    port = found.start()
    session = boto3.Session()
    client: Any = session.client(  # type: ignore[call-overload]
        name,
        endpoint_url=f"http://{HOST}:{port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    operation, arguments = calls[name]
    codes: dict[Fault, str] = {}
    while not {Fault.FAILED, Fault.THROTTLED} <= codes.keys():
        before = Counter(found.faults)
        try:
            getattr(client, operation)(**arguments)
        except ClientError as error:
            ((_, fault),) = found.faults - before
            codes[fault] = error.response["Error"]["Code"]
        except Exception:  # noqa: BLE001 - the other faults, of whatever kind
            pass
    found.stop()
    assert codes[Fault.FAILED].startswith(("Internal", "Service"))
    assert codes[Fault.THROTTLED] in {
        "ProvisionedThroughputExceededException",
        "RequestThrottled",
        "SlowDown",
        "ThrottlingException",
        "TooManyRequestsException",
    }


def test_calls_are_told_apart() -> None:
    assert call_of("POST", "/", {"x-amz-target": "AmazonSQS.SendMessage"}) == Call(
        "sqs", "SendMessage"
    )
    invoke = "/2015-03-31/functions/f/invocations"
    assert call_of("POST", invoke, {}) == Call("lambda", "Invoke")
    scope = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request, Signed…"
    assert call_of("PUT", "/bucket/key", {"authorization": scope}) == Call("s3", "PUT")
    assert call_of("GET", "/", {}) == Call("", "GET")
