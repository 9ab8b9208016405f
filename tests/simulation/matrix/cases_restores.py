"""Restores in all forms: in place, forks, imports, large ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from blockfold.application import import_lines
from blockfold.application.import_lines import Entry
from blockfold.application.travel import Traveller
from blockfold.bootstrap import importer, reader
from blockfold.domain.canonical import decode, encode
from tests.simulation.matrix.case import (
    Case,
    Do,
    again,
    block,
    calls,
    drop,
    empty,
    grow,
    names,
    next_action,
    put,
    rest,
    send,
)
from tests.simulation.matrix.cases_blocks import unflushed
from tests.simulation.matrix.stage import Stage, plan_of
from tests.simulation.story import Violation
from tests.simulation.tasks import Task
from tests.simulation.truth import Known

AGAIN = "the same call again"
ABANDONED = "the machine's next action"


def _resting(stage: Stage) -> None:
    """Five blocks, of which the second and the fourth have snapshots."""
    grow(stage, "m", 5)
    rest(stage)
    for number in range(1, 6):
        stage.truth.asked.append(("m", number, number))


def _unflushed(stage: Stage) -> None:
    """An executor died right after its commit, and its messages come again."""
    unflushed(stage)
    stage.truth.asked.append(("m", 1, 1))


def _behind(stage: Stage) -> None:
    """A large restore was begun, and the state table does not hold it."""
    _resting(stage)
    calls("restorer", {"machine": "m", "block": 1, "begin_large": True})(stage)


def _in_place(name: str, setup: Do, **payload: Any) -> Case:
    work = calls("restorer", {"machine": "m", **payload})
    return Case(name, work, {AGAIN: again(work), ABANDONED: _goes_on}, setup)


def _goes_on(stage: Stage) -> None:
    stage.notes["went on"] = True
    next_action(stage)


def _workflow(stage: Stage) -> None:
    """What the state machine of a large restore does (`infra`)."""
    split = stage.called("restorer", {"machine": "m", "step": "split"})
    for piece in split["ranges"]:
        stage.called("restorer", piece)
    stage.called("restorer", {"machine": "m", "step": "finish"})


def _wide(stage: Stage) -> None:
    """A snapshot of several files, and blocks since then."""
    block(stage, "m", *[put(f"wide{number}", "x" * 40 + str(number)) for number in range(9)])
    block(stage, "m", put("a", 1))
    rest(stage)
    block(stage, "m", drop("wide1"), put("a", 2))
    rest(stage)
    stage.truth.asked.append(("m", 2, 2))


def _large(stage: Stage) -> None:
    stage.called("restorer", {"machine": "m", "block": 2, "begin_large": True})
    _workflow(stage)


def _large_again(stage: Stage) -> None:
    """The workflow tries its steps again; the caller begins again if it was not begun."""
    head = stage.observer.log.head("m")
    assert head is not None
    again(_large if head.body.origin is None else _workflow)(stage)


def _resume(stage: Stage) -> None:
    stage.called("restorer", {"machine": "m", "resume": True})


def _resume_again(stage: Stage) -> None:
    """It goes on, unless it was finished."""
    record = stage.observer.machines.get("m")
    head = stage.observer.log.head("m")
    assert record is not None
    assert head is not None
    if record.flushed < head.number:
        again(_resume)(stage)


# -- other machines --------------------------------------------------------------------------


def _begins(work: Do, machine: str) -> Do:
    """Done again, it is refused if it was finished but for the table: that is finished then."""

    def recover(stage: Stage) -> None:
        head = stage.observer.log.head(machine)
        if head is None:
            again(work)(stage)
        elif stage.observer.machines.get(machine).flushed < head.number:  # type: ignore[union-attr]
            again(calls("restorer", {"machine": machine, "resume": True}))(stage)

    return recover


_fork = calls("restorer", {"machine": "m", "time": "2030-01-01T00:00:00Z", "as": "f"})

STATE = {"a": 1, "b": {"n": [True]}, "c/1": "x" * 200, "c/2": None, "d": 2.5}


def _import(stage: Stage) -> None:
    """The command line uploads a state; the restorer starts a machine from it."""

    def upload(task: Task) -> str:
        text = [json.dumps({"key": k, "value": v}).encode() for k, v in STATE.items()]
        entries = import_lines.lines(iter(text))
        return importer(task.environment.adapters).upload("i", entries, _InMemory()).key

    stage.called("restorer", {"machine": "i", "import": stage.ran("operator", upload)})


class _InMemory:
    """A `Sorter` of what fits into memory."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)

    def sorted(self) -> Iterator[Entry]:
        return iter(sorted(self._entries, key=lambda each: each.key))


@cache
def _other() -> Stage:
    """A stack of its own, with a machine of the same id as one here."""
    other = Stage(plan_of(count=2))
    grow(other, "m", 4)
    rest(other)
    return other


def _from_other(stage: Stage) -> None:
    """The command line copies a state from another stack; the restorer forks from it."""

    def copy(task: Task) -> str:
        source = _other().observer
        block = reader(source).block("m", 3)
        _, entries = Traveller(source.archived_log, source.snapshots).entries("m", 3)
        return importer(task.environment.adapters).upload_block("o", block, entries).key

    stage.called("restorer", {"machine": "o", "import": stage.ran("operator", copy)})


def _without_tables(stage: Stage) -> None:
    """All tables are lost, and nobody puts them back: of the machine only the bucket is left."""
    _resting(stage)
    empty(stage)
    stage.truth.lives.clear()
    stage.cloud.actions.accepted.clear()


_fork_of_lost = calls("restorer", {"machine": "m", "snapshot": 2, "as": "f"})


def _with_other(_stage: Stage) -> None:
    _other()


def _learn(machine: str, state: dict[str, Any]) -> Do:
    """The truth takes in a machine that came from outside."""

    def learn(stage: Stage) -> None:
        blocks = list(stage.observer.archived_log.read(machine, 1))
        if len(blocks) > 1:
            raise Violation("law 1, exactly once", f"{machine} has {len(blocks)} blocks")
        entries = {key: encode(value) for key, value in state.items()}
        stage.truth.life(machine).chain += [
            Known(each, dict(state), entries, "import") for each in blocks
        ]
        record = stage.observer.machines.get(machine)
        if blocks and record is not None:
            stage.truth.life(machine).schedule = record.schedule

    return learn


def _goes_on_from(machine: str, state: dict[str, Any]) -> Do:
    """It holds that state, and actions go on from there."""

    def check(stage: Stage) -> None:
        send(stage, machine, names("keys", ""))
        rest(stage)
        found = {k: decode(v) for k, v in stage.truth.life(machine).chain[-1].entries.items()}
        if found != {**state, "keys": sorted(state)}:
            raise Violation("law 2, imports", f"{machine} is {found}")

    return check


LOST = {"k1": 1, "k2": 2, "last": 2}
OTHER = {"k2": 2, "k3": 3, "last": 3}

CASES = [
    _in_place("restore: a block without a snapshot", _resting, block=3),
    _in_place("restore: a block with a snapshot", _resting, snapshot=2),
    _in_place("restore: behind an unfinished flush", _unflushed, block=1),
    Case(
        "restore: dry run",
        calls("restorer", {"machine": "m", "block": 3, "dry_run": True}),
        {AGAIN: again(calls("restorer", {"machine": "m", "block": 3, "dry_run": True}))},
        _resting,
        reads=True,
    ),
    Case(
        "restore: begin, split, fill, finish",
        _large,
        {"the workflow tries again": _large_again, ABANDONED: _goes_on},
        _wide,
    ),
    Case(
        "restore: resume",
        _resume,
        {AGAIN: _resume_again, ABANDONED: _goes_on},
        _behind,
    ),
    Case("fork", _fork, {AGAIN: _begins(_fork, "f")}, _resting),
    Case(
        "fork from another stack's machine",
        _from_other,
        {AGAIN: _begins(_from_other, "o")},
        _with_other,
        learn=_learn("o", OTHER),
        check=_goes_on_from("o", OTHER),
        observed=False,
    ),
    Case(
        "import",
        _import,
        {AGAIN: _begins(_import, "i")},
        learn=_learn("i", STATE),
        check=_goes_on_from("i", STATE),
        observed=False,
    ),
    Case(
        "fork of a machine whose tables are lost",
        _fork_of_lost,
        {AGAIN: _begins(_fork_of_lost, "f")},
        _without_tables,
        learn=_learn("f", LOST),
        check=_goes_on_from("f", LOST),
        observed=False,
    ),
]
