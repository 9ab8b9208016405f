"""What can be wrong with a record."""

from __future__ import annotations

from blockfold.domain.errors import BlockfoldError


class InvalidRecord(BlockfoldError):
    """What was given does not fit the record's declaration; nothing was written."""


class OutdatedRecord(BlockfoldError):
    """A stored record does not fit its declaration any more: it was written by other code."""
