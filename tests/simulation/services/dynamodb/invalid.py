"""What DynamoDB refuses."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """A request, or a statement of a batch, that DynamoDB refuses.

    Attributes:
        code: DynamoDB's error code, as an exception of a request.
        message: What it says.
        item: The stored item, where it is handed back.
    """

    def __init__(self, code: str, message: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.item = item


class Invalid(Refused):
    """The request makes no sense to DynamoDB: ValidationException."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ConditionFailed(Refused):
    """The condition does not hold: ConditionalCheckFailedException.

    Args:
        item: The stored item, if there is one.
    """

    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__("ConditionalCheckFailedException", "The conditional request failed", item)


class NoStatement(Invalid):
    """It is none that could be executed, whatever table it is about."""


class NoTable(Refused):
    """There is no such table: ResourceNotFoundException."""

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "Requested resource not found")


class Duplicate(Refused):
    """An INSERT of an item that is there: DuplicateItemException.

    Args:
        item: The stored item.
    """

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("DuplicateItemException", "Duplicate primary key exists in table", item)
