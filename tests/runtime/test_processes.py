"""Real processes on a file and a folder: one is killed, the next goes on, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from blockfold import FileRecorder, JsonlChannel, MemoryRecorder, Runtime
from blockfold.adapters.manual_clock import ManualClock
from tests.machines_for_tests import Cells

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys
from blockfold import FileRecorder, JsonlChannel, ManualClock, Runtime
from tests.machines_for_tests import Cells

folder, first, last, flush = sys.argv[1], *map(int, sys.argv[2:5])
recorder = FileRecorder(folder + "/kept", "m", quiet=None)
runtime = Runtime(Cells(), channel=JsonlChannel(folder + "/a.jsonl"), recorder=recorder,
                  clock=ManualClock()).start()
runtime.poll()
for number in range(first, last):
    step = {"do": "push", "key": f"k/{number % 3}", "value": number}
    runtime.write({"type": "run", "args": {"steps": [step]}})
    if number == flush:
        recorder.create_snapshot()
print(runtime.head.number, runtime.digest, flush=True)
os._exit(9)
"""


def run(folder: Path, *numbers: int) -> tuple[int, str]:
    """A process that writes some actions and is gone; the head that it saw last."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), *map(str, numbers)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    number, digest = done.stdout.split()
    return int(number), digest


def test_processes_that_are_killed_are_followed_by_others(tmp_path: Path) -> None:
    assert run(tmp_path, 0, 10, 4)[0] == 10
    number, digest = run(tmp_path, 10, 20, -1)
    assert number == 20
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(json.dumps({"type": "run", "args": {"steps": []}}) + "\n{torn")
    recorder = FileRecorder(tmp_path / "kept", "m")
    channel = JsonlChannel(tmp_path / "a.jsonl")
    with Runtime(Cells(), channel=channel, recorder=recorder, clock=ManualClock()) as runtime:
        assert (runtime.booted.snapshot, runtime.booted.blocks) == (5, 0)
        assert runtime.poll() == 16
        assert runtime.at(block=20).block is not None
        assert runtime.at(block=20).block.header.digest == digest  # type: ignore[union-attr]
        assert runtime.verify().findings == []
        hashes = [block.hash for block in runtime.blocks()]
    # The file alone gives the same blocks.
    again = JsonlChannel(tmp_path / "a.jsonl")
    with Runtime(
        Cells(), channel=again, recorder=MemoryRecorder("m"), clock=ManualClock()
    ) as other:
        other.poll()
        assert [block.hash for block in other.blocks()] == hashes
