"""The queue of questions about snapshots: a standard SQS queue whose messages wait.

Needs ``sqs:SendMessage``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.adapters.backoff import Backoff
from blockfold.domain.errors import Corrupted
from blockfold.ports import Check

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ENTRIES = 10
"""Entries that SendMessageBatch takes."""

LONGEST_SECONDS = 900
"""The longest that SQS lets a message wait (DelaySeconds)."""


class SqsChecks:
    """A `Checks` on SQS.

    Args:
        client: A boto3 SQS client.
        url: The queue's URL.
    """

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def later(self, checks: Sequence[Check]) -> None:
        """See `Checks.later`."""
        for start in range(0, len(checks), ENTRIES):
            self._send(
                [
                    {
                        "Id": str(index),
                        "MessageBody": to_body(check),
                        "DelaySeconds": max(0, min(check.seconds, LONGEST_SECONDS)),
                    }
                    for index, check in enumerate(checks[start : start + ENTRIES])
                ]
            )

    def _send(self, entries: list[SendMessageBatchRequestEntryTypeDef]) -> None:
        """Send entries, and those again that the queue refused for now."""
        attempt = f"could not send to the queue {self._url}"
        backoff = Backoff(attempt)
        while entries:
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise unavailable(attempt, error) from error
            failed = {each["Id"]: each for each in answer.get("Failed", ())}
            entries = [entry for entry in entries if entry["Id"] in failed]
            if entries:
                first = failed[entries[0]["Id"]]
                backoff.wait(f"{first['Code']}: {first.get('Message', '')}")


def to_body(check: Check) -> str:
    """The text of a check's message: a JSON object with the fields of `Check`."""
    return msgspec.json.encode(check).decode()


def from_body(body: str) -> Check:
    """The check of a message.

    Raises:
        Corrupted: It is no check.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise Corrupted(f"{body[:100]!r} in the queue of checks is no check: {error}") from error


_decoder = msgspec.json.Decoder(Check)
