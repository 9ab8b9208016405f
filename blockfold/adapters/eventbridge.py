"""The event bus.

Needs ``events:PutEvents`` on the bus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.adapters.backoff import Backoff
from blockfold.ports import Announcement

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

ENTRIES = 10
"""Entries that PutEvents takes."""

REQUEST_BYTES = 1_000_000
"""PutEvents takes 1 MB in all (2025 limit), overhead included."""

ENTRY_OVERHEAD = 300
"""Bytes counted for source, type and time of an entry; generous."""


class EventBridgeBus:
    """An `EventBus` on EventBridge.

    Args:
        client: A boto3 EventBridge client.
        bus: The bus's name.
    """

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """See `EventBus.publish`."""
        for batch in _batches(announcements):
            self._put([self._entry(each) for each in batch])

    def _put(self, entries: list[PutEventsRequestEntryTypeDef]) -> None:
        """Put entries, and those again that the bus refused for now."""
        attempt = f"could not publish to the bus {self._bus}"
        backoff = Backoff(attempt)
        while entries:
            try:
                answer = self._client.put_events(Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise unavailable(attempt, error) from error
            if not answer["FailedEntryCount"]:
                return
            failed = [
                (entry, result)
                for entry, result in zip(entries, answer["Entries"], strict=True)
                if "ErrorCode" in result
            ]
            entries = [entry for entry, _ in failed]
            backoff.wait(f"{failed[0][1]['ErrorCode']}: {failed[0][1].get('ErrorMessage', '')}")

    def _entry(self, announcement: Announcement) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._bus,
            "Source": announcement.source,
            "DetailType": announcement.type,
            "Detail": announcement.detail.decode(),
            "Time": datetime.fromtimestamp(announcement.time / 1000, UTC),
        }


def _batches(announcements: Iterable[Announcement]) -> Iterator[list[Announcement]]:
    batch: list[Announcement] = []
    size = 0
    for each in announcements:
        cost = len(each.detail) + ENTRY_OVERHEAD
        if batch and (len(batch) >= ENTRIES or size + cost > REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += cost
    if batch:
        yield batch
