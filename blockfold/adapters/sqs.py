"""The actions queue.

Sending needs ``sqs:SendMessage``; SQS keeps a group's messages in the order of these calls.
Releasing needs ``sqs:ChangeMessageVisibility``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.domain.errors import Unavailable
from blockfold.ports import Receipt

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import ChangeMessageVisibilityBatchRequestEntryTypeDef


RELEASED_AT_ONCE = 10
"""Entries that ChangeMessageVisibilityBatch takes."""


class SqsQueue:
    """Sends messages to a FIFO queue, one at a time: only so is a group's order certain.

    Args:
        client: A boto3 SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    @property
    def arn(self) -> str:
        """The queue's ARN, as its messages name it; told from URL and region."""
        account, name = self._url.rsplit("/", 2)[1:]
        meta = self._client.meta
        return f"arn:{meta.partition}:sqs:{meta.region_name}:{account}:{name}"

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
        return Receipt(answer["MessageId"], answer["SequenceNumber"], self.arn)

    def release(self, receipts: Sequence[str], seconds: int) -> None:
        """Let messages that were received be delivered again soon.

        Without it they, and all of their group, wait for the queue's visibility timeout.

        Args:
            receipts: Their receipt handles.
            seconds: How long they stay invisible.

        Raises:
            Unavailable: Some may wait for the visibility timeout.
        """
        for start in range(0, len(receipts), RELEASED_AT_ONCE):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for index, receipt in enumerate(receipts[start : start + RELEASED_AT_ONCE])
            ]
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._url, Entries=entries
                )
            except (ClientError, BotoCoreError) as error:
                raise unavailable("could not release messages", error) from error
            if failed := answer.get("Failed"):
                raise Unavailable(f"could not release {len(failed)} messages: {failed[0]}")
