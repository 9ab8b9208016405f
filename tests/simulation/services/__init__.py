"""AWS as far as Blockfold uses it, simulated at the level of boto3 clients.

    cloud = Cloud(STACK, clock=clock, random=Random(seed), page=3)
    clients = SimClients(cloud, hook)          # one for each simulated process
    adapters = Adapters(cloud.settings, clients.as_clients())

`Cloud` holds the state of all services. Each call of a client goes through the client's `Hook`,
each part of a batch through `Hook.part`: that is where a simulation switches processes and injects
faults (`faults` makes the errors). What the services deliver comes from the cloud:

    cloud.actions.receive(10)        # -> Batch | None; the event source of the executor
    cloud.checks_queue.receive(10)   # the event source of the dumper's checks
    cloud.stream().take("announcer", 100), cloud.stream().take("archiver", 1000)
    cloud.bus.take()                 # -> Delivery | None; what the dumper's rule passes on
    cloud.expire()                   # DynamoDB's time to live, and the queues' retention

A `Batch`, `StreamBatch` or `Delivery` has the ``event`` for the handler, and `settle(answer)` takes
the handler's answer, or None if the function failed or died. Settle it late or twice: AWS does. A
queue's batch that is never settled comes again by itself. Records of a stream and events do not:
settle them in the end, or `discard` them if they are to be lost.

Time comes from ``cloud.clock.now()`` (milliseconds) alone, randomness from ``cloud.random`` alone.
What is simulated, and where it differs from AWS's documentation: ``docs/simulated-services.md``.
"""

from tests.simulation.services import faults
from tests.simulation.services.bus import Bus, Delivery
from tests.simulation.services.clients import SimClients
from tests.simulation.services.cloud import STACK, Cloud
from tests.simulation.services.hook import Call, Direct, Hook, PartFailed
from tests.simulation.services.queues import Batch, FifoQueue, Message, Queue, StandardQueue
from tests.simulation.services.streams import Stream, StreamBatch

__all__ = [
    "STACK",
    "Batch",
    "Bus",
    "Call",
    "Cloud",
    "Delivery",
    "Direct",
    "FifoQueue",
    "Hook",
    "Message",
    "PartFailed",
    "Queue",
    "SimClients",
    "StandardQueue",
    "Stream",
    "StreamBatch",
    "faults",
]
