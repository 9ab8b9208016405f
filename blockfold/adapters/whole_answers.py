"""Answers that were cut short are no answers.

botocore does not hold the length of a body against its ``Content-Length``, and takes JSON that it
cannot read for an empty answer: a connection that ends in the middle would say that there is no
such item, or that all entries of a batch were taken. (DynamoDB adds a checksum of its own, and
bodies that are streamed are counted by their reader.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ConnectionClosedError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel

ATTEMPTS = 4
"""How often a request is sent whose answers are all cut short."""

FIRST_WAIT_SECONDS = 0.05

_Client = TypeVar("_Client", bound="BaseClient")


def with_whole_answers(client: _Client) -> _Client:
    """The client itself, which from now on asks again when an answer is cut short.

    After `ATTEMPTS` it raises ``ConnectionClosedError``, as for a connection that gave no answer.
    """
    client.meta.events.register("needs-retry", cast("Callable[..., None]", _check))
    return client


def _check(
    response: tuple[AWSResponse, dict[str, Any]] | None,
    attempts: int,
    operation: OperationModel,
    **_rest: object,
) -> float | None:
    """Seconds to wait before the request is sent again; None if the answer is whole."""
    if response is None or operation.has_streaming_output or operation.http["method"] == "HEAD":
        return None
    answer = response[0]
    length = answer.headers.get("content-length")
    if length is None or int(length) == len(answer.content):
        return None
    if attempts < ATTEMPTS:
        return FIRST_WAIT_SECONDS * 2.0**attempts
    raise ConnectionClosedError(endpoint_url=answer.url)
