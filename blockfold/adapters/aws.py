"""What all AWS adapters share: clients made once, and vendor errors translated."""

from __future__ import annotations

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from blockfold.domain.errors import BlockfoldError, Misconfigured, NotFound, Unavailable

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
