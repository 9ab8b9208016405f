"""What is not recorded at the end of a test is not recorded when the tests exit, either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blockfold.recorders import at_exit


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    at_exit._waiting.clear()
