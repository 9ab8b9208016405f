"""What an executor keeps between calls, and that forgetting any of it costs only reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from blockfold.application import execute, tail
from blockfold.application.execute import CACHED_SECONDS, Executor
from tests.clocks import SetClock
from tests.crashes.workload import (
    ENTRIES,
    MACHINE,
    Fleet,
    Queue,
    Stores,
    act,
    assert_done,
    entries,
)
from tests.faults import Faults, fail

READS = {"machines.get", "log.head"}


@dataclass
class Process:
    """An executor that is sent one action at a time."""

    executor: Executor
    faults: Faults
    queue: Queue

    def send(self, machine: str = MACHINE) -> set[str]:
        """The steps taken for one more action."""
        taken = len(self.faults.steps)
        self.queue.send(act("add", name="a", amount=1))
        self.executor.fold(machine, self.queue.messages[-1:], deadline=1e9)
        return set(self.faults.steps[taken:])


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def process(stores: Stores, clock: SetClock) -> Process:
    faults = Faults()
    return Process(replace(stores.executor(faults), clock=clock), faults, Queue())


def test_a_warm_executor_commits_and_flushes_without_reading(process: Process) -> None:
    assert process.send() >= READS
    for _ in range(3):
        assert process.send() == {
            "log.append",
            "table.write",
            "table.write.row",
            "machines.raise_watermark",
        }


def test_a_head_is_read_again_when_the_log_did_not_confirm_it_for_long(
    process: Process, clock: SetClock
) -> None:
    process.send()
    clock.seconds += CACHED_SECONDS - 1
    assert not process.send() & READS
    clock.seconds += CACHED_SECONDS - 1
    assert not process.send() & READS, "the commit in between confirmed the head"
    clock.seconds += CACHED_SECONDS
    assert process.send() >= READS


def test_a_head_is_read_again_after_a_commit_that_may_have_failed(process: Process) -> None:
    process.send()
    process.faults.at = {len(process.faults.steps)}
    process.faults.strike = fail
    assert process.send() == {"log.append"}
    assert process.send() >= READS


def test_a_failed_flush_is_made_up_by_the_next_action_without_reading(
    process: Process, stores: Stores
) -> None:
    process.send()
    process.faults.at = {len(process.faults.steps) + 1}
    process.faults.strike = fail
    process.send()
    assert (len(stores.blocks()), stores.flushed()) == (2, 1)
    assert not process.send() & READS
    assert (len(stores.blocks()), stores.flushed()) == (3, 3)


def test_the_machine_that_was_idle_longest_is_forgotten_first(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "CACHED_MACHINES", 2)
    for machine in ("one", "two", "one", "three"):
        process.send(machine)
    assert not process.send("one") & READS
    assert process.send("two") >= READS
    assert process.send("three") >= READS


def test_machines_are_forgotten_when_their_entries_take_too_much_memory(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "CACHED_BYTES", 2 * tail.ENTRY_BYTES)
    process.send("one")
    process.send("two")
    assert process.send("one") >= READS
    assert not process.send("one") & READS, "the machine at work is never forgotten"


@pytest.mark.parametrize("known", [0, 400, 1_000, 5_000])
def test_known_entries_may_be_dropped_at_any_time(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """A block may need more entries than are kept."""
    monkeypatch.setattr(tail, "MAX_KNOWN_BYTES", known)
    queue = Queue.of()
    queue.drain(Fleet(stores, Faults(), 2).fold)
    assert_done(stores, queue)
    assert entries(stores) == ENTRIES
    queue.send(act("fill", count=50, text="x"))  # writes keys that it did not read
    queue.drain(Fleet(stores, Faults()).fold)
    assert_done(stores, queue)
    assert len(entries(stores)) == len(ENTRIES) + 50
