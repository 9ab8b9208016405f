"""Which service and operation an HTTP request is for, and how that service says that it failed.

The shapes are those of AWS's protocols: JSON 1.0/1.1 with ``__type`` (DynamoDB, SQS, EventBridge,
Step Functions), REST-JSON with ``x-amzn-errortype`` (Lambda), XML (S3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_TARGETS = {
    "DynamoDB_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "AWSEvents": "events",
    "AWSStepFunctions": "states",
}
_SCOPE = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/([a-z0-9-]+)/")

_FAILURES = {
    "dynamodb": (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
    "sqs": (500, "com.amazonaws.sqs#InternalFailure"),
    "events": (500, "InternalException"),
    "states": (500, "InternalServerError"),
    "lambda": (500, "ServiceException"),
    "s3": (500, "InternalError"),
}
_THROTTLES = {
    "dynamodb": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "sqs": (400, "com.amazonaws.sqs#RequestThrottled"),
    "events": (400, "ThrottlingException"),
    "states": (400, "ThrottlingException"),
    "lambda": (429, "TooManyRequestsException"),
    "s3": (503, "SlowDown"),
}


@dataclass(frozen=True)
class Call:
    """A request's service (``dynamodb``, ``s3``, … or empty) and operation."""

    service: str
    operation: str


def call_of(method: str, path: str, headers: Mapping[str, str]) -> Call:
    """The call that a request makes; `headers` by lower-case name."""
    prefix, _, operation = headers.get("x-amz-target", "").partition(".")
    if prefix in _TARGETS:
        return Call(_TARGETS[prefix], operation)
    if path.startswith("/2015-03-31/"):
        return Call("lambda", "Invoke" if path.endswith("/invocations") else method)
    scope = _SCOPE.search(headers.get("authorization", ""))
    return Call(scope.group(1) if scope else "", method)


def failure(service: str) -> bytes:
    """An answer that says that the service failed inside."""
    return _answer(service, *_FAILURES[service], "We encountered an internal error.")


def throttled(service: str) -> bytes:
    """An answer that says that the caller asks too much."""
    return _answer(service, *_THROTTLES[service], "Rate exceeded")


def _answer(service: str, status: int, code: str, message: str) -> bytes:
    name = code.rpartition("#")[2]
    if service == "s3":
        kind = "application/xml"
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{name}</Code><Message>{message}</Message></Error>"
        )
    else:
        kind = "application/json" if service == "lambda" else "application/x-amz-json-1.0"
        body = json.dumps({"__type": code, "message": message})
    lines = [
        f"HTTP/1.1 {status} {name}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        f"x-amzn-ErrorType: {name}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", body]).encode()
