"""What is imported when: nothing of AWS for a machine as a plain object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import blockfold

AWS = {"boto3", "botocore", "aws_lambda_powertools"}
ROOT = Path(__file__).parents[2]

LINES = {
    "import blockfold": {"zstandard", "asyncio", "logging", "blockfold.runtime"},
    "from blockfold import Runtime, AsyncRuntime, MemoryChannel, JsonlChannel, Record": set(),
    "from blockfold import MemoryRecorder, FileRecorder, ManualClock": set(),
    "from blockfold import *": set(),
    "import blockfold.runtime, blockfold.recorders, blockfold.records": set(),
}


def imported_by(line: str) -> set[str]:
    script = f"import sys, json\n{line}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("line", LINES)
def test_a_machine_as_an_object_needs_nothing_of_aws(line: str) -> None:
    found = imported_by(line)
    assert "blockfold.domain.machine" in found
    assert found & (AWS | LINES[line]) == set()


def test_the_names_that_come_later_are_listed_and_others_are_not_there() -> None:
    assert {"Runtime", "Record", "__version__"} <= set(dir(blockfold))
    assert set(blockfold.__all__) <= set(dir(blockfold))
    for package in (blockfold, blockfold.runtime):
        with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
            package.Nonsense  # noqa: B018
