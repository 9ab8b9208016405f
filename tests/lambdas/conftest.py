"""The executor λ in this process, on stores in memory, and what it prints."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from blockfold import Block, Limits
from blockfold.adapters.memory import (
    MemoryBlockLog,
    MemoryMachines,
    MemoryObjectStore,
    MemoryStateTable,
)
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.adapters.system import SystemClock
from blockfold.application.execute import Executor
from blockfold.ports import BlockLog, Machines, StateTable
from machines.forest import Forest

Event = dict[str, Any]

EVENTS = Path(__file__).parent / "events"


def load(name: str) -> Event:
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


@dataclass(frozen=True)
class LambdaContext:
    """What of Lambda's context the handler may use."""

    milliseconds: int = 60_000
    function_name: str = "Blockfold-Executor"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:Blockfold-Executor"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@dataclass
class ReleasingQueue:
    """A queue that takes down what is released, and for how long it stays invisible."""

    released: list[tuple[list[str], int]] = field(default_factory=list)
    trouble: Exception | None = None

    def release(self, receipts: Sequence[str], seconds: int) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.released.append((list(receipts), seconds))


@dataclass
class Harness:
    """The handler, its stores, and what it printed.

    Attributes:
        log: The blocks.
        table: The state.
        machines: The register.
        limits: When a block is full.
        queue: The queue, as far as the handler uses it.
        made: How many executors were made: one for each time that the handler trusted none.
    """

    module: Any
    printed: Callable[[], str]
    lines: io.StringIO
    log: BlockLog = field(default_factory=MemoryBlockLog)
    table: StateTable = field(default_factory=MemoryStateTable)
    machines: Machines = field(default_factory=MemoryMachines)
    limits: Limits = field(default_factory=Limits)
    queue: ReleasingQueue = field(default_factory=ReleasingQueue)
    made: int = 0
    _cached: Executor | None = None

    def handle(self, event: Event, milliseconds: int = 60_000) -> list[str]:
        """Ids of the messages that the queue must deliver again; the answer's shape is checked."""
        answer = self.module.handler(event, LambdaContext(milliseconds))
        assert set(answer) == {"batchItemFailures"}
        failures = answer["batchItemFailures"]
        assert json.loads(json.dumps(failures)) == failures
        assert all(set(failure) == {"itemIdentifier"} for failure in failures)
        return [failure["itemIdentifier"] for failure in failures]

    def blocks(self, machine: str) -> list[Block]:
        return list(self.log.read(machine, 1))

    def told(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        return [json.loads(line) for line in self.lines.getvalue().splitlines()]

    def metrics(self) -> dict[str, list[float]]:
        """The metrics printed since the last time, by name."""
        found: dict[str, list[float]] = {}
        for line in self.printed().splitlines():
            blob = json.loads(line)
            (directive,) = blob["_aws"]["CloudWatchMetrics"]
            assert directive["Namespace"] == "Blockfold"
            assert directive["Dimensions"] == [["service"]]
            assert blob["service"] == "executor"
            for metric in directive["Metrics"]:
                assert metric["Unit"] == "Count"
                found.setdefault(metric["Name"], []).extend(blob[metric["Name"]])
        return found

    def executor(self) -> Executor:
        """Stands in for the handler's cached factory."""
        if self._cached is None:
            self.made += 1
            self._cached = Executor(
                machine=Forest(),
                log=self.log,
                table=self.table,
                machines=self.machines,
                snapshots=ObjectSnapshots(MemoryObjectStore()),
                clock=SystemClock(),
                limits=self.limits,
            )
        return self._cached

    def forget(self) -> None:
        self._cached = None


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The handler's module, imported afresh under the environment that the stack gives it."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "executor")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Blockfold")
    monkeypatch.setenv("POWERTOOLS_LOG_LEVEL", "INFO")
    monkeypatch.delitem(sys.modules, "lambdas.executor", raising=False)
    return import_module("lambdas.executor")


@pytest.fixture
def lines(module: Any) -> Iterator[io.StringIO]:
    """What the handler logs."""
    handler = module.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    lines = io.StringIO()
    # Not by setStream: it flushes the stream before, which may be an earlier test's, closed by now.
    before, handler.stream = handler.stream, lines
    yield lines
    handler.stream = before


@pytest.fixture
def harness(
    module: Any,
    lines: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Harness:
    """The handler on stores in memory."""
    harness = Harness(module, lambda: capsys.readouterr().out, lines)

    def factory() -> Executor:
        return harness.executor()

    factory.cache_clear = harness.forget  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "_executor", factory)
    monkeypatch.setattr(module, "_queue", lambda: harness.queue)
    return harness
