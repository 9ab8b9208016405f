"""Errors as boto3 raises them: those that the services answer, and those for hooks to raise."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.simulation.services.hook import Call

ENDPOINT = "https://simulated.invalid"

_THROTTLES = {
    "dynamodb": ("ThrottlingException", 400),
    "s3": ("SlowDown", 503),
    "sqs": ("RequestThrottled", 403),
    "events": ("ThrottlingException", 400),
    "lambda_": ("TooManyRequestsException", 429),
}
_BROKEN = {
    "dynamodb": ("InternalServerError", 500),
    "s3": ("InternalError", 500),
    "sqs": ("InternalFailure", 500),
    "events": ("InternalFailure", 500),
    "lambda_": ("ServiceException", 500),
}


def refusal(
    operation: str, code: str, message: str, status: int = 400, **fields: Any
) -> ClientError:
    """What boto3 raises for an error that a service answers.

    Args:
        operation: AWS's name of the operation.
        code: The service's error code.
        message: What it says.
        status: The HTTP status.
        fields: What else stands in the answer.
    """
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0, "HTTPHeaders": {}},
        **fields,
    }
    return ClientError(response, operation)


def throttled(call: Call) -> ClientError:
    """The service has too much to do; nothing happened."""
    code, status = _THROTTLES[call.client]
    return refusal(call.operation, code, "Rate exceeded", status)


def broken(call: Call) -> ClientError:
    """The service failed, before or after it did something."""
    code, status = _BROKEN[call.client]
    return refusal(call.operation, code, "We encountered an internal error", status)


def denied(call: Call) -> ClientError:
    """The role lacks the permission."""
    code = "AccessDenied" if call.client == "s3" else "AccessDeniedException"
    return refusal(call.operation, code, "not authorized to perform this", 403)


def conflict(call: Call) -> ClientError:
    """S3: another write to the key is going on."""
    return refusal(
        call.operation,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this "
        "resource.",
        409,
    )


def timed_out() -> ReadTimeoutError:
    """No answer came in time: raised before the effect, or after it."""
    return ReadTimeoutError(endpoint_url=ENDPOINT)


def not_connected() -> ConnectTimeoutError:
    """The service could not be reached: nothing happened."""
    return ConnectTimeoutError(endpoint_url=ENDPOINT)


def unreachable() -> EndpointConnectionError:
    """The connection was refused: nothing happened."""
    return EndpointConnectionError(endpoint_url=ENDPOINT)
