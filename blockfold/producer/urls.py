"""A queue by its URL, for a producer that knows nothing else of a stack."""

from __future__ import annotations

from blockfold.domain.errors import Misconfigured
from blockfold.producer.courier import Queue


def queue_at(queue: Queue | str) -> Queue:
    """The queue itself, or the one at a URL, by the usual AWS configuration.

    Raises:
        Misconfigured: The URL is no FIFO queue's, or there is no region.
    """
    if not isinstance(queue, str):
        return queue
    if not queue.endswith(".fifo"):
        raise Misconfigured(
            f"{queue} is no URL of a FIFO queue",
            hint="give the stack's output ActionsQueueUrl: it ends with .fifo",
        )
    # not for those who import all of the package, and have no AWS package
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - see above

    from blockfold.adapters.clients import Clients  # noqa: PLC0415
    from blockfold.adapters.sqs import SqsQueue  # noqa: PLC0415

    try:
        return SqsQueue(Clients().sqs, queue)
    except (BotoCoreError, ValueError) as error:  # botocore says ValueError of an endpoint
        raise Misconfigured(
            f"could not reach the queue {queue}: {error}",
            hint="set AWS_DEFAULT_REGION or a profile that has a region",
        ) from error
