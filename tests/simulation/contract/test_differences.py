"""The list of known differences names cases that exist, and the documentation shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.contract import test_dynamodb, test_events, test_s3, test_sqs
from tests.simulation.contract.differences import KNOWN_DIFFERENCES

PAGE = Path("docs/simulated-services.md").read_text("utf-8")
MODULES = (test_dynamodb, test_events, test_s3, test_sqs)


@pytest.mark.parametrize(("emulator_name", "name"), KNOWN_DIFFERENCES)
def test_a_difference_is_one_test_s(emulator_name: str, name: str) -> None:
    function = name.partition("[")[0]
    assert sum(hasattr(module, function) for module in MODULES) == 1


def test_the_documentation_lists_them_all_and_no_others() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `test_")]
    wanted = [
        f"| `{name}` | {backend} | {what} |" for (backend, name), what in KNOWN_DIFFERENCES.items()
    ]
    assert rows == wanted
