"""Calling a stack's Lambda functions.

Needs ``lambda:InvokeFunction`` on the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import unavailable
from blockfold.domain.errors import BlockfoldError, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Functions:
    """Calls functions and waits for their answers.

    Args:
        client: Gives a boto3 Lambda client; first called at the first call.
    """

    def __init__(self, client: Callable[[], LambdaClient]) -> None:
        self._client = client

    def call(self, function: str, payload: Mapping[str, object]) -> dict[str, Any]:
        """A function's answer.

        Args:
            function: Its name.
            payload: What it is given, as JSON.

        Raises:
            BlockfoldError: The function ended in an error; its message is the function's.
            Unavailable: The function could not be called, or did not answer.
        """
        try:
            answer = self._client().invoke(
                FunctionName=function, Payload=msgspec.json.encode(payload)
            )
            data = answer["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not call {function}", error) from error
        try:
            content: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise Unavailable(f"{function} gave no JSON object: {data[:200]!r}") from error
        if answer.get("FunctionError"):
            raise BlockfoldError(content.get("errorMessage", f"{function} failed"))
        return content
