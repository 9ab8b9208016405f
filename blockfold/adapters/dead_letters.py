"""The dead-letter queue of the actions queue, and the way back.

Needs ``sqs:ReceiveMessage``, ``DeleteMessage`` and ``ChangeMessageVisibility`` on the dead-letter
queue, and ``sqs:SendMessage`` on the actions queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.adapters.envelope import ENCODING, PRODUCER, named, seal, unseal
from blockfold.adapters.outgoing import REQUEST_BYTES, Outgoing
from blockfold.adapters.sqs import SqsQueue
from blockfold.domain.action import Message
from blockfold.domain.errors import BlockfoldError, Refused, Unavailable
from blockfold.ports import Letter, Receipt

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        MessageTypeDef,
    )

RECEIVED_AT_ONCE = 10
"""Messages that ReceiveMessage answers with, and entries of ChangeMessageVisibilityBatch."""

WAIT_SECONDS = 1
"""How long the queue waits for a message: with none of it, it may not look everywhere."""

_ATTEMPT = "ReceiveRequestAttemptId"
"""By it the SDK's retries after a lost answer get the same messages. After throttling SQS may say
of a retry that it is not valid any more:
https://github.com/awslabs/amazon-sqs-java-messaging-lib/issues/213"""

_GONE = "the dead letter comes again: run this again, what was sent is recognised"


class SqsDeadLetters:
    """A `DeadLetters` on SQS.

    Args:
        client: A boto3 SQS client.
        url: The dead-letter queue's URL.
        queue: The actions queue.
        wait: Seconds that an empty queue is waited for.
    """

    def __init__(
        self, client: SQSClient, url: str, queue: SqsQueue, *, wait: int = WAIT_SECONDS
    ) -> None:
        self._client = client
        self._url = url
        self._queue = queue
        self._wait = wait

    def receive(self, seconds: int) -> list[Letter]:
        """See `DeadLetters.receive`."""
        for last in (False, False, True):
            try:
                return self._receive(seconds)
            except (ClientError, BotoCoreError) as error:
                if last or _ATTEMPT not in str(error):
                    raise self._failed("receive from", error) from error
        raise AssertionError("the last one returned or raised")

    def hold(self, letters: Sequence[Letter], seconds: int) -> None:
        """See `DeadLetters.hold`."""
        failed: list[BatchResultErrorEntryTypeDef] = []
        for start in range(0, len(letters), RECEIVED_AT_ONCE):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(index), "ReceiptHandle": each.receipt, "VisibilityTimeout": seconds}
                for index, each in enumerate(letters[start : start + RECEIVED_AT_ONCE])
            ]
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._url, Entries=entries
                )
            except (ClientError, BotoCoreError) as error:
                raise self._failed("hold messages of", error) from error
            failed += answer.get("Failed", [])
        if failed:
            why = f"{failed[0]['Code']}: {failed[0].get('Message', '')}"
            raise Unavailable(f"could not hold {len(failed)} dead letters: {why}", hint=_GONE)

    def send_again(self, letter: Letter, token: str) -> Receipt:
        """See `DeadLetters.send_again`."""
        return self._send(letter.machine, letter.body, letter.attributes, token)

    def send(
        self, machine: str, body: str, producer: str, count: int, token: str, spoiled: str = ""
    ) -> Receipt:
        """See `DeadLetters.send`."""
        if spoiled:
            return self._send(machine, body, named(producer, count) | unread(spoiled), token)
        sealed, attributes = seal(body)
        return self._send(machine, sealed, named(producer, count) | attributes, token)

    def delete(self, letter: Letter) -> None:
        """See `DeadLetters.delete`."""
        try:
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)
        except (ClientError, BotoCoreError) as error:
            failed = self._failed(f"delete {letter.message.id} from", error)
            if isinstance(failed, Unavailable):
                raise Unavailable(failed.message, hint=_GONE) from error
            raise failed from error

    def _receive(self, seconds: int) -> list[Letter]:
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=RECEIVED_AT_ONCE,
            VisibilityTimeout=seconds,
            WaitTimeSeconds=self._wait,
            MessageSystemAttributeNames=["MessageGroupId", "SentTimestamp", "SenderId"],
            MessageAttributeNames=[PRODUCER, ENCODING],
            ReceiveRequestAttemptId=str(uuid4()),
        )
        return [_letter(each) for each in answer.get("Messages", ())]

    def _send(self, machine: str, body: str, attributes: Mapping[str, str], token: str) -> Receipt:
        message = Outgoing(machine, body, token, attributes)
        if message.size > REQUEST_BYTES:
            raise Refused(
                f"with its name it has {message.size:,} bytes, and SQS takes {REQUEST_BYTES:,}",
                hint="push its actions by hand, then delete it from the dead-letter queue",
            )
        answer = self._queue.send_batch([message])[0]
        if isinstance(answer, BlockfoldError):
            raise answer
        return answer

    def _failed(self, verb: str, error: Exception) -> BlockfoldError:
        return unavailable(f"could not {verb} the dead-letter queue {self._url}", error)


def unread(reason: str) -> dict[str, str]:
    """The attribute of a message that is no actions: executors record it as malformed, unread."""
    return {ENCODING: f"none: {reason}"}


def _letter(received: MessageTypeDef) -> Letter:
    system = received["Attributes"]
    found = received.get("MessageAttributes", {})
    attributes = {name: each.get("StringValue", "") for name, each in found.items()}
    opened = unseal(received["Body"], attributes)
    message = Message(
        id=received["MessageId"],
        body=opened.body,
        sent=int(system["SentTimestamp"]),
        sender=system.get("SenderId", ""),
        producer=opened.producer,
        count=opened.count,
        spoiled=opened.spoiled,
    )
    return Letter(
        system["MessageGroupId"], message, received["Body"], attributes, received["ReceiptHandle"]
    )
