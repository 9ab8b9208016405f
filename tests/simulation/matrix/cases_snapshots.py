"""Dumper, checks, archive, pruner."""

from __future__ import annotations

from typing import Any

from blockfold.bootstrap import repairer
from tests.simulation.matrix.case import (
    Case,
    Do,
    again,
    announce,
    archive,
    by_itself,
    calls,
    check,
    due,
    grow,
    rest,
)
from tests.simulation.matrix.stage import Stage
from tests.simulation.story import Violation
from tests.simulation.tasks import Task
from tests.simulation.world import DAY, MINUTE

BUS = {"the bus delivers the event again": by_itself}
CHECKS = {"the queue delivers the checks again": by_itself}
SCHEDULE = {"the next sweep": by_itself}


def _call(name: str, function: str, payload: Any, setup: Do, **fields: Any) -> Case:
    """A case of somebody who calls a function, and calls again if it fails."""
    work = calls(function, payload)
    return Case(name, work, {"the same call again": again(work)}, setup, **fields)


def _command(name: str, command: str, setup: Do, **fields: Any) -> Case:
    payload = {"machine": "m", "command": command, **fields}
    return _call(name, "dumper", payload, setup)


def _prune(name: str, command: str, setup: Do, *, reads: bool = False, **fields: Any) -> Case:
    payload = {"machine": "m", "command": command, **fields}
    return _call(name, "pruner", payload, setup, reads=reads)


def _two_due(stage: Stage) -> None:
    """Two blocks, the second of which is due."""
    grow(stage, "m", 2)
    announce(stage)
    archive(stage)


def _lost(stage: Stage) -> None:
    """Three snapshots are due, and only the last event came."""
    grow(stage, "m", 2)
    announce(stage)
    while (delivery := stage.cloud.bus.take()) is not None:
        delivery.discard()
    grow(stage, "m", 1)
    announce(stage)
    archive(stage)


def _many(stage: Stage) -> None:
    """So many snapshots that the next one merges runs."""
    for _ in range(MERGES - 1):
        grow(stage, "m", 1)
        rest(stage)
    grow(stage, "m", 1)
    announce(stage)
    archive(stage)


MERGES = 6
"""The snapshot of this number merges runs."""


def _merged(stage: Stage) -> None:
    """It has no more generations of runs than the one before."""
    manifests = [stage.observer.snapshots.get("m", number) for number in (MERGES - 1, MERGES)]
    before, after = (len(each.generations) if each else 0 for each in manifests)
    if not 0 < after < before:
        raise Violation("a merge", f"{after} generations after {before}")


def _resting(stage: Stage) -> None:
    grow(stage, "m", 5)
    rest(stage)


def _asked(*numbers: int) -> Do:
    def setup(stage: Stage) -> None:
        _resting(stage)
        for number in numbers:
            stage.truth.asked.append(("m", number, number))

    return setup


def _undumped(stage: Stage) -> None:
    """Nobody heard of some blocks, of two machines, and one of them has a policy."""
    for machine in ("m", "n"):
        grow(stage, machine, 1)
    calls("dumper", {"machine": "n", "command": "set_policy", "bytes": 10**6, "minutes": 1})(stage)
    stage.truth.free.add("n")
    for machine in ("m", "n"):
        grow(stage, machine, 2)
    stage.clock.milliseconds += 10 * MINUTE


def _quiet(stage: Stage) -> None:
    """A machine with a policy, and its check."""
    grow(stage, "m", 1)
    rest(stage)
    calls("dumper", {"machine": "m", "command": "set_policy", "quiet": 60})(stage)
    stage.truth.free.add("m")
    grow(stage, "m", 2)
    announce(stage)
    archive(stage)


def _late(stage: Stage) -> None:
    _quiet(stage)
    stage.clock.milliseconds += MINUTE


def _put_off(stage: Stage) -> None:
    """A check for longer than a message can wait, which is for fifteen minutes."""
    grow(stage, "m", 1)
    rest(stage)
    calls("dumper", {"machine": "m", "command": "set_policy", "quiet": 3600})(stage)
    stage.truth.free.add("m")
    grow(stage, "m", 1)
    announce(stage)
    archive(stage)
    stage.clock.milliseconds += 15 * MINUTE


def _unshipped(stage: Stage) -> None:
    """The stream gave up on some blocks."""
    grow(stage, "m", 2)
    archive(stage)
    grow(stage, "m", 2)
    batch = stage.cloud.stream().take("archiver", 100)
    assert batch is not None
    batch.discard()
    grow(stage, "m", 1)
    archive(stage)


def _shipped(stage: Stage) -> None:
    """Every block in a segment of its own."""
    for _ in range(5):
        grow(stage, "m", 1)
        archive(stage)


def _stopped(stage: Stage) -> None:
    _resting(stage)
    calls("dumper", {"machine": "m", "command": "stop"})(stage)


def _kept(stage: Stage) -> None:
    """More snapshots and blocks than are to be kept."""
    for _ in range(3):
        grow(stage, "m", 3)
        rest(stage)
    payload = {"machine": "m", "command": "set_retention", "snapshots": 2, "blocks": 2}
    calls("pruner", payload)(stage)


def _garbage(stage: Stage) -> None:
    """What a prune took away has been nobody's for a day, and snapshots merged runs."""
    _kept(stage)
    stage.truth.asked.append(("m", 2, 2))
    calls("restorer", {"machine": "m", "block": 2})(stage)
    rest(stage)
    calls("pruner", {"machine": "m", "command": "prune"})(stage)
    stage.clock.milliseconds += 2 * DAY
    stage.cloud.expire()


def _on_damage(stage: Stage) -> None:
    """A block is due, and a file of the snapshot before it is damaged."""
    grow(stage, "m", 1)
    rest(stage)
    bucket = stage.cloud.bucket
    bucket.put(bucket.keys("machines/m/runs/")[0], b"damaged", stage.clock.now())
    grow(stage, "m", 1)
    announce(stage)
    archive(stage)


def _repaired(stage: Stage) -> None:
    """Somebody repairs the older snapshot, which stays damaged."""

    def repair(task: Task) -> None:
        adapters = task.environment.adapters
        done = repairer(adapters, adapters.objects).repair("m")
        assert not done.lost, done.lost

    stage.ran("operator", repair)


EVERY = {"count": 1}

CASES = [
    Case("dump: a due event", due, BUS, _two_due),
    Case("dump: with lost events before it", due, BUS, _lost, plan=EVERY),
    Case("dump: with a merge of runs", due, BUS, _many, plan=EVERY, check=_merged),
    Case("dump: on a damaged one", due, BUS, _on_damage, plan=EVERY, mend=_repaired),
    Case("dump: the hourly sweep", calls("dumper", {"sweep": True}), SCHEDULE, _undumped),
    _command("dump: now", "dump", _asked(5)),
    _command("dump: a block of the past", "dump", _asked(3), at=3),
    Case("check: a snapshot is called for", check, CHECKS, _late),
    Case("check: it is put off", check, CHECKS, _put_off),
    _command("dumper: set_count", "set_count", _resting, count=3),
    _command("dumper: stop", "stop", _resting),
    _command("dumper: start", "start", _stopped),
    _command("dumper: set_policy", "set_policy", _resting, bytes=10**6),
    _call("dumper: status", "dumper", {"machine": "m", "command": "status"}, _resting, reads=True),
    _command("archive: blocks that the stream lost", "archive", _unshipped),
    _command("archive: segments are merged", "archive", _shipped),
    _prune("retention: set", "set_retention", _resting, snapshots=1, days=1, thin=["1h/2d"]),
    _prune("retention: status", "status", _resting, reads=True),
    _prune("prune: dry run", "prune", _kept, reads=True, dry_run=True),
    _prune("prune", "prune", _kept),
    _prune("prune: garbage, a day later", "prune", _garbage),
    Case("prune: the daily sweep", calls("pruner", {"sweep": True}), SCHEDULE, _kept),
]
