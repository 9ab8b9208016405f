"""Who works during a soak, each in a thread: what they have in common, producers, event sources.

They know nothing of faults. Whatever fails, they do what a user would: a producer sends the same
message under the same deduplication id until the queue says that it has it.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.soak.ledger import Ledger, Sent
from tests.soak.world import World

KEYS = [f"cell/{number:02}" for number in range(16)]
_FOLDED = re.compile(r'"message":\s*"folded".*?"repeated":\s*(\d+).*?"conflicts":\s*(\d+)')


@dataclass
class Actor:
    """A thread that takes one step after the other until it is told to stop."""

    world: World
    ledger: Ledger
    seed: str
    stopping: threading.Event = field(default_factory=threading.Event)
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed} {type(self).__name__}")
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.ledger.violate(f"{type(self).__name__} {self.seed} does not come to its end")

    def step(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.step()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is to be told
                self.ledger.violate(f"{type(self).__name__}: {type(error).__name__}: {error}")
                time.sleep(1)


def action(chance: random.Random, name: str) -> dict[str, Any]:
    """An action of `Cells` under an id of its own."""
    steps: list[dict[str, Any]] = [{"do": "set", "key": "last", "value": name}]
    for _ in range(chance.randint(0, 3)):
        key = chance.choice(KEYS)
        match chance.choice(("set", "set", "delete", "push", "list")):
            case "set":
                value: Any = chance.choice((name, [], {"n": chance.randrange(100)}, None, 1.5))
                steps.append({"do": "set", "key": key, "value": value})
            case "push":
                # A list that only grows would meet the limit of a value in the end.
                if chance.random() < 0.2:
                    steps.append({"do": "delete", "key": key})
                steps.append({"do": "push", "key": key, "value": name})
            case "list":
                steps.append({"do": "list", "key": key, "value": "cell/0"})
            case _:
                steps.append({"do": "delete", "key": key})
    if chance.random() < 0.02:  # does not fit a block's item: its body goes to the bucket
        steps.append({"do": "set", "key": "large", "value": chance.randbytes(30_000).hex()})
    args: dict[str, Any] = {"steps": steps}
    if chance.random() < 0.1:
        args["end"] = chance.choice(("reject", "crash"))
    return {"type": "run", "id": name, "args": args}


@dataclass
class Producer(Actor):
    """Sends numbered actions to machines that it picks at random, no faster than they are done."""

    pause: float = 0.05
    backlog: int = 100
    number: int = 0

    def step(self) -> None:
        if self.ledger.backlog > self.backlog:
            time.sleep(0.2)
            return
        machine = self.random.choice(self.ledger.machines)
        self.send(machine, self.random.choice((1, 1, 2, 5)))
        time.sleep(self.random.uniform(0, 2 * self.pause))

    def send(self, machine: str, count: int) -> None:
        """Send a message of so many actions, again and again until it is acknowledged."""
        names = [f"{self.seed}-{self.number + each}" for each in range(count)]
        self.number += count
        actions = [action(self.random, name) for name in names]
        body = json.dumps(actions[0] if count == 1 else actions)
        while True:
            try:
                answer = self.world.stack.clients.sqs.send_message(
                    QueueUrl=self.world.stack.outputs["ActionsQueueUrl"],
                    MessageBody=body,
                    MessageGroupId=machine,
                    MessageDeduplicationId=names[0],
                )
            except (ClientError, BotoCoreError):
                self.ledger.count("sends that failed")
                time.sleep(0.2)
                continue
            sent = Sent(machine, answer["MessageId"], answer["SequenceNumber"], tuple(names))
            self.ledger.note(sent)
            return


@dataclass
class Source(Actor):
    """An event source beside the emulator's own, which runs one batch at a time.

    With it groups run in parallel, and what a frozen executor holds is given to another one. It
    does as Lambda's pollers do: receive, invoke, delete what the answer does not name.
    """

    def step(self) -> None:
        try:
            self._batch()
        except (ClientError, BotoCoreError, ValueError):
            time.sleep(0.2)

    def _batch(self) -> None:
        clients, outputs = self.world.stack.clients, self.world.stack.outputs
        url = outputs["ActionsQueueUrl"]
        found = clients.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            AttributeNames=["All"],
        ).get("Messages", [])
        if not found:
            return
        again = sum(int(each["Attributes"]["ApproximateReceiveCount"]) > 1 for each in found)
        self.ledger.count("redeliveries to the second source", again)
        answer = clients.lambda_.invoke(
            FunctionName=outputs["ExecutorFunctionName"],
            Payload=json.dumps({"Records": [self._record(each) for each in found]}).encode(),
            LogType="Tail",
        )
        content = json.loads(answer["Payload"].read())
        if answer.get("FunctionError") or "batchItemFailures" not in content:
            self.ledger.count("batches that died in the second source")
            return
        count_folds(self.ledger, b64decode(answer.get("LogResult", "")).decode(errors="replace"))
        kept = {each["itemIdentifier"] for each in content["batchItemFailures"]}
        done = [each for each in found if each["MessageId"] not in kept]
        for each in done:
            clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])

    def _record(self, message: Any) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.world.stack.queue.arn,
            "awsRegion": "us-east-1",
        }


def count_folds(ledger: Ledger, log: str) -> None:
    """Count what executors said: messages that they skipped, races that they lost."""
    for repeated, conflicts in _FOLDED.findall(log):
        ledger.count("messages skipped by their marks", int(repeated))
        ledger.count("commits lost to another executor", int(conflicts))
