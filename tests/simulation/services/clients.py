"""The clients of one simulated process."""

from __future__ import annotations

from typing import cast

from blockfold.adapters.clients import Clients
from tests.simulation.services.bus import EventBridge
from tests.simulation.services.cloud import Cloud
from tests.simulation.services.dynamodb.service import DynamoDB
from tests.simulation.services.hook import Direct, Hook
from tests.simulation.services.lambda_ import Lambda
from tests.simulation.services.s3 import S3
from tests.simulation.services.sqs import Sqs

SENDER = "AROASIMULATEDSIMULAT:producer"


class SimClients:
    """Has the attributes of `Clients` that simulated code uses; others raise AttributeError.

    Args:
        cloud: What the clients talk to; shared by all processes.
        hook: What happens around the calls of this process.
        sender: Whom SQS takes this process for.
    """

    def __init__(self, cloud: Cloud, hook: Hook | None = None, sender: str = SENDER) -> None:
        hook = hook or Direct()
        self.dynamodb = DynamoDB(cloud, hook)
        self.events = EventBridge(cloud, hook)
        self.lambda_ = Lambda(cloud, hook)
        self.s3 = S3(cloud, hook)
        self.sqs = Sqs(cloud, hook, sender)

    def as_clients(self) -> Clients:
        """This, as the wiring wants it."""
        return cast("Clients", self)
