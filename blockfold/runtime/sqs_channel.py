"""A channel on an SQS FIFO queue: the machine is a message group, as on a stack.

One process reads a group at a time: a stack's executor must not read the same queue. Needs
``sqs:SendMessage`` to write; ``sqs:ReceiveMessage``, ``sqs:DeleteMessage`` and
``sqs:ChangeMessageVisibility`` to read.

What happens if the process dies: what it received and did not delete is delivered again after the
queue's visibility timeout, in order, and recognised by its sequence number if a recorder stored
the blocks.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.adapters.clients import Clients
from blockfold.adapters.envelope import unseal
from blockfold.adapters.sqs import SqsQueue
from blockfold.application.push import check_machine_id
from blockfold.domain.action import Message
from blockfold.domain.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MOST = 10
"""Messages that SQS gives, and deletes, at once."""

LONGEST_WAIT = 20
"""Seconds that SQS waits for a message at most."""

logger = logging.getLogger("blockfold.runtime")


class SqsChannel:
    """Reads one group of a FIFO queue and sends to it.

    A FIFO queue gives the messages of whichever group is free. Those of other groups are released
    at once; a queue that carries many is better read by a stack.

    Args:
        url: The queue's URL.
        machine: The machine's id: the group.
        client: A boto3 SQS client; one of the usual AWS configuration if None.

    Attributes:
        consumes: True: what is acknowledged is deleted.

    Raises:
        Misconfigured: The queue is none with groups, the id can be none, or the AWS configuration
            cannot be used.
    """

    consumes = True

    def __init__(self, url: str, machine: str, client: SQSClient | None = None) -> None:
        if not url.endswith(".fifo"):
            raise Misconfigured(
                f"the queue {url} has no groups, and no order",
                hint="name a FIFO queue: its URL ends with .fifo",
            )
        self._machine = check_machine_id(machine)
        self._url = url
        self._client = client or _client(url)
        self._queue = SqsQueue(self._client, url)
        self._again: deque[Message] = deque()
        self._receipts: dict[str, str] = {}
        self._warned = False

    def write(self, body: str) -> str:
        """See `Writer.write`."""
        return self._queue.send(self._machine, body).message

    def read(self, most: int, wait: float = 0.0) -> Sequence[Message]:
        """See `Reader.read`. Gives ten at most; SQS waits whole seconds."""
        found: list[Message] = []
        while self._again and len(found) < most:
            found.append(self._again.popleft())
        if found:
            return found
        deadline = time.monotonic() + wait
        while True:
            left = max(0.0, deadline - time.monotonic())
            received = self._receive(min(most, MOST), left)
            found = [self._taken(each) for each in received if self._is_ours(each)]
            others = [each["ReceiptHandle"] for each in received if not self._is_ours(each)]
            if others:
                self._queue.release(others, 0)
                self._warn(len(others))
            if found or left <= 0:
                return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """See `Reader.acknowledge`: deletes them."""
        known = {each.id: self._receipts[each.id] for each in messages if self._has(each)}
        handles = list(known.items())
        for start in range(0, len(handles), MOST):
            chunk = handles[start : start + MOST]
            try:
                answer = self._client.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": handle}
                        for index, (_, handle) in enumerate(chunk)
                    ],
                )
            except (ClientError, BotoCoreError) as error:
                raise unavailable("could not delete messages", error) from error
            if failed := answer.get("Failed"):
                raise Unavailable(f"could not delete {len(failed)} messages: {failed[0]}")
            for name, _ in chunk:
                del self._receipts[name]

    def release(self, messages: Sequence[Message]) -> None:
        """See `Reader.release`: they stay here, and no other reader gets what is behind them."""
        self._again.extendleft(reversed(messages))

    def close(self) -> None:
        """See `Closes.close`: what was not executed is delivered again at once."""
        handles = [self._receipts[each.id] for each in self._again if self._has(each)]
        self._again.clear()
        self._receipts.clear()
        if handles:
            self._queue.release(handles, 0)

    def _receive(self, most: int, wait: float) -> list[MessageTypeDef]:
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=min(ceil(wait), LONGEST_WAIT),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not read machine {self._machine!r}", error) from error
        return answer.get("Messages", [])

    def _is_ours(self, received: MessageTypeDef) -> bool:
        return received["Attributes"].get("MessageGroupId") == self._machine

    def _has(self, message: Message) -> bool:
        return message.id in self._receipts

    def _taken(self, received: MessageTypeDef) -> Message:
        attributes = received["Attributes"]
        self._receipts[received["MessageId"]] = received["ReceiptHandle"]
        named = received.get("MessageAttributes", {})
        opened = unseal(
            received["Body"], {name: each.get("StringValue", "") for name, each in named.items()}
        )
        return Message(
            id=received["MessageId"],
            body=opened.body,
            queue=self._queue.arn,
            sequence=attributes["SequenceNumber"],
            sent=int(attributes["SentTimestamp"]),
            sender=attributes.get("SenderId", ""),
            producer=opened.producer,
            count=opened.count,
            spoiled=opened.spoiled,
        )

    def _warn(self, count: int) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s carries other machines than %s, too: %d messages were released",
                self._url, self._machine, count,
            )  # fmt: skip


def _client(url: str) -> SQSClient:
    """A client of the usual AWS configuration.

    Raises:
        Misconfigured: It has no region, or an endpoint that is none.
    """
    try:
        return Clients().sqs
    except (BotoCoreError, ValueError) as error:  # botocore says ValueError of an endpoint
        raise Misconfigured(
            f"could not reach the queue {url}: {error}",
            hint="set AWS_DEFAULT_REGION or a profile that has a region, or give client=",
        ) from error
