"""The contract of `Intake` on a real event source, and its patience with Lambda."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from blockfold.adapters import intake as module
from blockfold.adapters.intake import FORGOTTEN, LambdaIntake
from blockfold.adapters.system import SystemClock
from blockfold.domain.errors import Misconfigured, NotFound, Unavailable
from tests.clocks import SetClock
from tests.emulator import BareEmulator

HANDLER = """
import json, os
known = []

def handler(event, context):
    known.extend(record["body"] for record in event["Records"])
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(known) + chr(10))
    print("handled")
"""


@dataclass
class Consumer:
    """A function that consumes a queue and writes down all that its process knows."""

    lambda_: Any
    sqs: Any
    name: str
    queue: str
    seen: Path
    sent: int = 0

    def send(self) -> str:
        self.sent += 1
        body = f"message {self.sent}"
        self.sqs.send_message(
            QueueUrl=self.queue, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body
        )
        return body

    def knew(self) -> list[list[str]]:
        """What the process knew at each invocation."""
        text = self.seen.read_text() if self.seen.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def waiting(self) -> int:
        attributes = self.sqs.get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])

    def intake(self) -> LambdaIntake:
        return LambdaIntake(lambda: self.lambda_, self.name, SystemClock(), drain=False)


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def consumer(emulator: BareEmulator, tmp_path: Path) -> Consumer:
    arguments: Any = emulator.client_arguments()
    lambda_, sqs = boto3.client("lambda", **arguments), boto3.client("sqs", **arguments)
    name = f"intake-{uuid4().hex[:8]}"
    queue = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", HANDLER)
    lambda_.create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role="arn:aws:iam::000000000000:role/intake",
        Handler="code.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=10,
        Environment={"Variables": {"SEEN": str(tmp_path / "seen")}},
    )
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    lambda_.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn["QueueArn"], BatchSize=10
    )
    return Consumer(lambda_, sqs, name, queue, tmp_path / "seen")


def test_a_paused_queue_waits_and_what_comes_after_knows_nothing_of_before(
    consumer: Consumer,
) -> None:
    first, second = consumer.send(), ""
    eventually(lambda: consumer.knew() == [[first]])
    second = consumer.send()
    eventually(lambda: consumer.knew()[-1] == [first, second])  # a warm process knows both

    intake = consumer.intake()
    intake.pause()
    third, fourth = consumer.send(), consumer.send()
    time.sleep(1.5)  # so that a source that still polls would have taken them
    assert consumer.waiting() == 2
    assert consumer.knew()[-1] == [first, second]
    intake.pause()
    assert consumer.waiting() == 2

    intake.resume()
    eventually(lambda: consumer.waiting() == 0 and fourth in consumer.knew()[-1])
    assert consumer.knew()[-1] == [third, fourth]
    intake.resume()
    fifth = consumer.send()
    eventually(lambda: consumer.knew()[-1] == [third, fourth, fifth])


def test_the_environment_stays_but_for_the_mark(consumer: Consumer) -> None:
    intake = consumer.intake()
    before = intake.environment
    intake.pause()
    after = intake.environment
    assert {**after, FORGOTTEN: ""} == {**before, FORGOTTEN: ""}
    mark = after[FORGOTTEN]
    intake.pause()
    assert intake.environment[FORGOTTEN] != mark
    intake.resume()


def test_an_unknown_function_is_told(consumer: Consumer) -> None:
    intake = LambdaIntake(lambda: consumer.lambda_, "nobody", SystemClock())
    with pytest.raises((NotFound, Misconfigured)):
        intake.pause()


@dataclass
class Lambda:
    """Lambda as it is in the cloud: a source is on its way for a while, and cannot be turned."""

    clock: Waiting
    slow: float = 30.0
    state: str = "Enabled"
    until: float = 0.0
    sources: int = 1
    calls: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def list_event_source_mappings(self, **_: Any) -> dict[str, Any]:
        return {"EventSourceMappings": [{"UUID": str(each)} for each in range(self.sources)]}

    def get_event_source_mapping(self, **_: Any) -> dict[str, Any]:
        if self.clock.seconds >= self.until:
            self.state = {"Disabling": "Disabled", "Enabling": "Enabled"}.get(
                self.state, self.state
            )
        return {"State": self.state}

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803
        if self.get_event_source_mapping()["State"].endswith("ing"):
            raise ClientError(
                {"Error": {"Code": "ResourceInUseException", "Message": ""}}, "Update"
            )
        self.calls.append(f"on {Enabled}")
        self.state = "Enabling" if Enabled else "Disabling"
        self.until = self.clock.seconds + self.slow

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 60, "Environment": {"Variables": dict(self.variables)}}

    def update_function_configuration(self, *, Environment: Any, **_: Any) -> None:  # noqa: N803
        self.calls.append(f"renew at {self.clock.seconds:.0f}")
        self.variables = Environment["Variables"]

    def get_waiter(self, _name: str) -> Any:
        return self

    def wait(self, **_: Any) -> None:
        self.calls.append("renewed")


@dataclass
class Waiting(SetClock):
    """Time that goes by only where somebody waits; every so often, somebody interrupts."""

    interrupt_at: float = float("inf")

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.seconds >= self.interrupt_at:
            self.interrupt_at = float("inf")
            raise KeyboardInterrupt


def cloud(clock: Waiting, **given: Any) -> tuple[Lambda, LambdaIntake]:
    lambda_ = Lambda(clock, **given)
    client: Any = lambda_
    return lambda_, LambdaIntake(lambda: client, "executor", clock)


def test_it_waits_for_the_source_and_then_for_what_still_runs() -> None:
    clock = Waiting()
    lambda_, intake = cloud(clock)
    intake.pause()
    assert lambda_.calls == ["on False", "renew at 90", "renewed"]
    intake.resume()
    assert lambda_.state == "Enabled"
    assert clock.seconds == 120


def test_interrupted_while_it_pauses_it_can_be_resumed() -> None:
    clock = Waiting(interrupt_at=5)
    lambda_, intake = cloud(clock)
    with pytest.raises(KeyboardInterrupt):
        intake.pause()
    intake.resume()
    assert lambda_.calls == ["on False", "on True"]
    assert lambda_.state == "Enabled"


def test_its_patience_ends() -> None:
    clock = Waiting()
    _, intake = cloud(clock, slow=1e9)
    with pytest.raises(Unavailable, match="still not disabled"):
        intake.pause()
    assert clock.seconds == module.POLLS * module.POLL_SECONDS


def test_a_function_without_a_source_is_told() -> None:
    _, intake = cloud(Waiting(), sources=0)
    with pytest.raises(Misconfigured, match="no event source"):
        intake.resume()
