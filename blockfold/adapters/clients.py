"""AWS clients, each made when it is first asked for: most executions need only one."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from blockfold.adapters.whole_answers import with_whole_answers
from blockfold.adapters.workflows import StepFunctions

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class Clients:
    """The clients of one account, region and endpoint.

    Args:
        session: Where credentials and region come from; the usual AWS configuration by default.
        endpoint: URL that stands for AWS; ``AWS_ENDPOINT_URL`` by default.
    """

    def __init__(self, session: boto3.Session | None = None, endpoint: str | None = None) -> None:
        self._session = session or boto3.Session()
        self._endpoint = endpoint
        elsewhere = endpoint or os.environ.get("AWS_ENDPOINT_URL")
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=2,
            read_timeout=10,
            max_pool_connections=20,
            s3={"addressing_style": "path"} if elsewhere else {},
        )

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB."""
        return with_whole_answers(
            self._session.client("dynamodb", endpoint_url=self._endpoint, config=self._config)
        )

    @cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge."""
        return with_whole_answers(
            self._session.client("events", endpoint_url=self._endpoint, config=self._config)
        )

    @cached_property
    def lambda_(self) -> LambdaClient:
        """Lambda, with the patience that a synchronous call of 15 minutes needs."""
        config = self._config.merge(
            Config(read_timeout=910, retries={"mode": "standard", "total_max_attempts": 1})
        )
        return self._session.client("lambda", endpoint_url=self._endpoint, config=config)

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        return with_whole_answers(
            self._session.client("s3", endpoint_url=self._endpoint, config=self._config)
        )

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS."""
        return with_whole_answers(
            self._session.client("sqs", endpoint_url=self._endpoint, config=self._config)
        )

    @cached_property
    def stepfunctions(self) -> StepFunctions:
        """Step Functions."""
        client: StepFunctions = self._session.client(
            "stepfunctions", endpoint_url=self._endpoint, config=self._config
        )
        return client

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation."""
        return self._session.client(
            "cloudformation", endpoint_url=self._endpoint, config=self._config
        )
