"""Measures one run of a contender in its own process. Standard library only: peers import it, too.

A contender is started with the path of a JSON file: ``steps`` (path of the actions as JSON:
``[[entity, type, args], …]``), ``endpoint`` and ``table`` (where they go), ``trace`` (where to
write down all requests; null in a timed run) and what else it needs. It prints one line of JSON:
`Stopwatch.result`.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PERCENT = 100


class Stopwatch:
    """Wall and CPU time of a run, and the time of each of its commits.

    A commit is what makes something durable: one event, one group of events, one block.
    """

    def __init__(self) -> None:
        self._commits: list[float] = []
        self._seconds = self._cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """The run."""
        begin, cpu = time.perf_counter(), time.process_time()
        yield
        self._seconds += time.perf_counter() - begin
        self._cpu += time.process_time() - cpu

    @contextmanager
    def commit(self) -> Iterator[None]:
        """A commit, whether or not inside a run."""
        begin = time.perf_counter()
        yield
        self._commits.append(time.perf_counter() - begin)

    def result(self, actions: int) -> dict[str, Any]:
        """What was measured: seconds, milliseconds for commits, kilobytes for memory."""
        ordered = sorted(self._commits)
        return {
            "actions": actions,
            "seconds": self._seconds,
            "cpu": self._cpu,
            "commits": len(ordered),
            "p50": _percentile(ordered, 50) * 1000,
            "p99": _percentile(ordered, 99) * 1000,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }


def configuration() -> dict[str, Any]:
    """What the process was started with."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return found


def report(result: dict[str, Any]) -> None:
    """Print the result as the last line."""
    sys.stdout.write(f"\n{json.dumps(result)}\n")


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // PERCENT)]
