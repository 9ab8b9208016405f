"""The actions queue.

Sending needs ``sqs:SendMessage``; SQS keeps a group's messages in the order of these calls.
Releasing needs ``sqs:ChangeMessageVisibility``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable
from blockfold.adapters.aws import refused as refused_by
from blockfold.adapters.outgoing import STRING, Outgoing
from blockfold.domain.errors import (
    AccessDenied,
    BlockfoldError,
    Misconfigured,
    Refused,
    Unavailable,
)
from blockfold.ports import Receipt

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )


RELEASED_AT_ONCE = 10
"""Entries that ChangeMessageVisibilityBatch takes."""

_CLIENT_ERRORS = range(400, 500)
_LATER = {
    "OverLimit",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "TooManyRequestsException",
}
"""Codes that blame the sender for what passes; those of throttling say so in their name."""

_MESSAGE = ("BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue")
"""Codes that blame the message itself; they may have a prefix."""


class SqsQueue:
    """Sends messages to a FIFO queue: one at a time, or a batch of different machines' messages.

    Only so is a group's order certain: a batch may be taken in part.

    Args:
        client: A boto3 SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    @cached_property
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

    def send_batch(self, messages: Sequence[Outgoing]) -> list[Receipt | BlockfoldError]:
        """Send at most `SENT_AT_ONCE` messages of different machines in one request.

        Returns:
            For each message its receipt, or why it was not taken: `Unavailable` if the same may be
            taken later, another error if it will not before something is changed. Whether a
            message that is `Unavailable` was taken is not known.
        """
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(index),
                "MessageBody": each.body,
                "MessageGroupId": each.machine,
                "MessageDeduplicationId": each.deduplication,
                "MessageAttributes": {
                    name: {"DataType": STRING, "StringValue": text}
                    for name, text in each.attributes.items()
                },
            }
            for index, each in enumerate(messages)
        ]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            return [_not_taken(error)] * len(messages)
        lost = Unavailable("SQS answered without saying what became of the message")
        answers: list[Receipt | BlockfoldError] = [lost] * len(messages)
        for taken in answer.get("Successful", []):
            receipt = Receipt(taken["MessageId"], taken["SequenceNumber"], self.arn)
            answers[int(taken["Id"])] = receipt
        for failed in answer.get("Failed", []):
            answers[int(failed["Id"])] = _failed(failed)
        return answers

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


def _not_taken(error: ClientError | BotoCoreError) -> BlockfoldError:
    """Why a whole batch was not taken."""
    found = unavailable("could not send", error)
    if not isinstance(found, Unavailable) or not isinstance(error, ClientError):
        return _explained(found, code_of(error))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if status in _CLIENT_ERRORS and not _passes(code_of(error)):
        return _explained(Refused(found.message), code_of(error))
    return found


def _failed(entry: BatchResultErrorEntryTypeDef) -> BlockfoldError:
    """Why one message of a batch was not taken."""
    code = entry["Code"]
    found = refused_by(f"could not send: {code}: {entry.get('Message', '')}", code)
    if isinstance(found, Unavailable) and entry["SenderFault"] and not _passes(code):
        return _explained(Refused(found.message), code)
    return _explained(found, code)


def _passes(code: str) -> bool:
    """Whether a code that blames the sender means only that it is too early."""
    return "Throttl" in code or code in _LATER


def _explained(error: BlockfoldError, code: str) -> BlockfoldError:
    """The same error, with what a sender can do about it."""
    if "AccessDenied" in code:
        return AccessDenied(
            error.message,
            hint="the role in use needs sqs:SendMessage on the queue (and to use its key, if any)",
        )
    if code.upper().startswith("KMS") and not isinstance(error, Unavailable):
        return Misconfigured(
            error.message, hint="the queue's key cannot be used: look at its state and its policy"
        )
    if code == "RequestExpired":
        return Misconfigured(
            error.message, hint="set this computer's clock; a process that stood still may go on"
        )
    if isinstance(error, Refused) and code.endswith(_MESSAGE):
        return Refused(error.message, hint="SQS takes no such message, whenever it is sent")
    if isinstance(error, Refused):
        return Refused(error.message, hint="SQS takes nothing from here before that is changed")
    return error
