"""AWS clients, each made when it is first asked for: most executions need only one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import botocore
from botocore.config import Config
from botocore.session import get_session

from blockfold.adapters.transport import quick
from blockfold.adapters.whole_answers import with_whole_answers

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from blockfold.adapters.workflows import StepFunctions

CONNECT_SECONDS = 2
READ_SECONDS = 10

CONNECTIONS = 40
"""Kept open: eight groups at once, each with four requests of a flush, and some more."""


class Clients:
    """The clients of one account, region and endpoint.

    Args:
        session: Where credentials and region come from; the usual AWS configuration by default.
        endpoint: URL that stands for AWS; ``AWS_ENDPOINT_URL`` by default.
    """

    def __init__(self, session: boto3.Session | None = None, endpoint: str | None = None) -> None:
        # botocore's own clients are the same, and boto3 is a fifth of the time that one takes.
        self._new: Callable[..., Any] = session.client if session else get_session().create_client
        self._endpoint = endpoint
        self._made: dict[str, Any] = {}
        self._lock = Lock()
        elsewhere = endpoint or os.environ.get("AWS_ENDPOINT_URL")
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CONNECTIONS,
            s3={"addressing_style": "path"} if elsewhere else {},
        )

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB, which is on the hot path: an eighth of a small put's CPU is left out.

        The adapters' types say what a validation of parameters would, and a user agent of our own
        is not put together anew for each request.
        """
        agent = f"blockfold Botocore/{botocore.__version__}"
        config = self._config.merge(Config(parameter_validation=False, user_agent=agent))
        client: DynamoDBClient = self._client("dynamodb", config)
        return quick(
            with_whole_answers(client), connect=CONNECT_SECONDS, read=READ_SECONDS, kept=CONNECTIONS
        )

    @cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge."""
        client: EventBridgeClient = self._client("events", self._config)
        return with_whole_answers(client)

    @cached_property
    def lambda_(self) -> LambdaClient:
        """Lambda, with the patience that a synchronous call of 15 minutes needs."""
        config = self._config.merge(
            Config(read_timeout=910, retries={"mode": "standard", "total_max_attempts": 1})
        )
        client: LambdaClient = self._client("lambda", config)
        return client

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        client: S3Client = self._client("s3", self._config)
        return with_whole_answers(client)

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS."""
        client: SQSClient = self._client("sqs", self._config)
        return with_whole_answers(client)

    @cached_property
    def stepfunctions(self) -> StepFunctions:
        """Step Functions."""
        client: StepFunctions = self._client("stepfunctions", self._config)
        return client

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation."""
        client: CloudFormationClient = self._client("cloudformation", self._config)
        return client

    def _client(self, service: str, config: Config) -> Any:
        """One client of a service, however many threads ask for it first."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._new(service, endpoint_url=self._endpoint, config=config)
            return self._made[service]
