"""Carries parcels to the queue, as few requests as they fit into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from blockfold.adapters.outgoing import REQUEST_BYTES, Outgoing
from blockfold.domain.errors import BlockfoldError
from blockfold.ports import Receipt
from blockfold.producer.parcel import Parcel

Answer = tuple[Parcel, "Receipt | BlockfoldError"]


class Queue(Protocol):
    """Where the messages go: see `SqsQueue`."""

    def send_batch(self, messages: Sequence[Outgoing]) -> list[Receipt | BlockfoldError]:
        """See `SqsQueue.send_batch`."""


def deliver(queue: Queue, parcels: Sequence[Parcel]) -> Iterator[list[Answer]]:
    """Send parcels of different machines; what became of them, request by request.

    Dying anywhere in it loses nothing that was acknowledged: what is sent again has the same
    number and the same bytes.
    """
    for request in requests(parcels):
        answers = queue.send_batch([each.outgoing for each in request])
        yield list(zip(request, answers, strict=True))


def requests(parcels: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """The parcels, parted so that each part fits a request."""
    request: list[Parcel] = []
    size = 0
    for parcel in parcels:
        more = parcel.outgoing.size
        if request and size + more > REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(parcel)
        size += more
    if request:
        yield request
