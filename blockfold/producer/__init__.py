"""Sends actions: packed, in order, each exactly once, whatever is repeated (``docs/producer.md``).

>>> from blockfold import Producer
>>> with Producer(queue_url) as producer:  # doctest: +SKIP
...     producer.push("grove", "plant", tree="t1", species="oak")
"""

from typing import TYPE_CHECKING, Any

from blockfold.producer.bounds import Bounds, Options
from blockfold.producer.core import Acknowledged
from blockfold.producer.outbox import Stats
from blockfold.producer.producer import Producer, Pushed

if TYPE_CHECKING:
    from blockfold.producer.aio import AsyncProducer, AsyncPushed

__all__ = [
    "Acknowledged",
    "AsyncProducer",
    "AsyncPushed",
    "Bounds",
    "Options",
    "Producer",
    "Pushed",
    "Stats",
]


def __getattr__(name: str) -> Any:
    """What needs asyncio, when it is first asked for: it takes 30 ms to import."""
    if name in ("AsyncProducer", "AsyncPushed"):
        from blockfold.producer import aio  # noqa: PLC0415 - see above

        return getattr(aio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
