"""The actions queue.

Needs ``sqs:SendMessage``; SQS keeps a group's messages in the order of these calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the queue answered.

    Attributes:
        message: The MessageId.
        sequence: The SequenceNumber within the group.
    """

    message: str
    sequence: str


class SqsQueue:
    """Sends messages to a FIFO queue, one at a time: only so is a group's order certain.

    Args:
        client: A boto3 SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, machine: str, body: str) -> Receipt:
        """Send one message under a deduplication id of its own, which the SDK's retries keep.

        Raises:
            Unavailable: The queue did not take it, or did not say so.
        """
        try:
            answer = self._client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                MessageGroupId=machine,
                MessageDeduplicationId=str(uuid4()),
            )
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not send to machine {machine!r}", error) from error
        return Receipt(answer["MessageId"], answer["SequenceNumber"])
