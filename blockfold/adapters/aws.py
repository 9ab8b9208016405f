"""What all AWS adapters share: clients made once, and vendor errors translated."""

from __future__ import annotations

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from blockfold.domain.errors import (
    AccessDenied,
    BlockfoldError,
    BucketMissing,
    Misconfigured,
    NotFound,
    StorageFull,
    Unavailable,
)

_DENIED = "the role in use lacks this permission"
_EXPIRED = "the credentials have expired: sign in again"
_INVALID = "the credentials are not valid for this endpoint"
_HINTS = {
    "AccessDeniedException": _DENIED,
    # S3 says so of a missing object, too, unless the role may list the bucket.
    "AccessDenied": f"{_DENIED}, or there is no such object",
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "UnrecognizedClientException": _INVALID,
    "InvalidSignatureException": _INVALID,
    "InvalidClientTokenId": _INVALID,
    "InvalidAccessKeyId": _INVALID,
    "SignatureDoesNotMatch": _INVALID,
}
_MISSING = {
    "ResourceNotFoundException",
    "ResourceNotFound",
    "NoSuchBucket",
    "QueueDoesNotExist",
}
_ELSEWHERE = {
    "301",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}
_UNABLE = {"501", "NotImplemented"}
_FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"}
"""None of AWS's: what S3-compatible services say."""

_UNREACHABLE = (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError)
_SIGNED_OUT = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)


def code_of(error: Exception) -> str:
    """The service's error code; empty if the service did not answer at all."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "")
    return ""


def unavailable(attempt: str, error: Exception) -> BlockfoldError:
    """The error of ours that stands for a vendor's.

    Args:
        attempt: What was attempted, on what.
        error: What boto raised.
    """
    if isinstance(error, _SIGNED_OUT):
        return Misconfigured(f"{attempt}: {error}", hint="sign in, or name a profile that can")
    if isinstance(error, ParamValidationError):
        return Misconfigured(f"{attempt}: {error}", hint="no service takes such a name or value")
    return refused(f"{attempt}: {error}", code_of(error))


def refused(message: str, code: str) -> BlockfoldError:
    """The error of ours that stands for a service's error code.

    Args:
        message: What was attempted, on what, and what the service said.
        code: The service's error code; empty if it did not answer at all.
    """
    if code in _MISSING or code.endswith("NonExistentQueue"):
        return NotFound(message, hint="is the stack deployed, in this region and account?")
    if code in _HINTS:
        return Misconfigured(message, hint=_HINTS[code])
    return Unavailable(message)


def bucket_error(attempt: str, error: Exception) -> BlockfoldError:
    """The error of ours for a bucket that is no stack's, perhaps of another service than AWS.

    Args:
        attempt: What was attempted, on what.
        error: What boto raised.
    """
    message, code = f"{attempt}: {error}", code_of(error)
    if isinstance(error, ParamValidationError):
        return Misconfigured(message, hint="is that a bucket's name?")
    if isinstance(error, NoRegionError):
        return Misconfigured(message, hint="name a region, or set AWS_DEFAULT_REGION")
    if isinstance(error, _UNREACHABLE):
        return Unavailable(message, hint="does the endpoint run, and is its address right?")
    if code == "NoSuchBucket":
        return BucketMissing(message, hint="is the name right? create=True makes a missing one")
    if code in _ELSEWHERE:
        hint = f"the bucket is in another region{_region_in(error)}: name that one"
        return Misconfigured(message, hint=hint)
    if code in _UNABLE:
        return Misconfigured(
            message, hint="the service must know conditional writes (If-None-Match): use another"
        )
    if code in {"AccessDenied", "AllAccessDisabled"}:
        return AccessDenied(message, hint=_HINTS["AccessDenied"])
    if code == "403":  # the answer to a HEAD has no words
        return AccessDenied(message, hint=f"{_DENIED}, or {_INVALID}")
    if code == "400":
        return Misconfigured(message, hint=f"{_EXPIRED}, or {_INVALID}")
    if code in _FULL:
        return StorageFull(message, hint="make room there; what was not stored is tried again")
    return unavailable(attempt, error)


def _region_in(error: Exception) -> str:
    """The bucket's region as S3 tells it, in brackets; empty if it does not."""
    if not isinstance(error, ClientError):
        return ""
    answer = error.response
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or dict(answer.get("Error", {})).get("Region")
    return f" ({region})" if region else ""
