"""Paginators, as boto3's: each page is one call, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.services.hook import Answer


class Paginator:
    """The pages of one operation.

    Args:
        method: The client's method.
        start: The parameter that says where to go on.
        end: What an answer says of where it stopped; nothing on the last page.
    """

    def __init__(self, method: Callable[..., Answer], start: str, end: str) -> None:
        self._method = method
        self._start = start
        self._end = end

    def paginate(self, **params: Any) -> Iterator[Answer]:
        """One answer after the other."""
        while True:
            answer = self._method(**params)
            yield answer
            if not answer.get(self._end):
                return
            params = {**params, self._start: answer[self._end]}
