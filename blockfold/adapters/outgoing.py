"""Messages on their way to the actions queue, and what SQS takes in one request.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SENT_AT_ONCE = 10
"""Entries that SendMessageBatch takes."""

REQUEST_BYTES = 1024 * 1024
"""A message, and all messages of a batch together: bodies and attributes."""

STRING = "String"
"""The type of all attributes."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send.

    Attributes:
        machine: The machine's id.
        body: Its text.
        deduplication: The queue takes one message under an id within five minutes, and answers
            the same receipt to all who send it.
        attributes: Its message attributes.
    """

    machine: str
    body: str
    deduplication: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes that SQS counts: the body, and names, types and values of the attributes."""
        named = (len(name.encode()) + len(text.encode()) for name, text in self.attributes.items())
        return len(self.body.encode()) + sum(named) + len(STRING) * len(self.attributes)
