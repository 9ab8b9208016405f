"""Stop a restore, fork or import before or after any step; the next one makes it good (law 8)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from blockfold.adapters.disk_sort import DiskSort
from blockfold.application import catch_up
from blockfold.application.catch_up import CatchUp
from blockfold.application.import_lines import Entry
from blockfold.application.import_state import Importer
from blockfold.application.restore import Target
from blockfold.domain.canonical import encode
from blockfold.domain.errors import NotFound, Refused, Unavailable
from blockfold.domain.schedule import Schedule
from tests.faults import MOMENTS, Faults, Killed, Moment, fail
from tests.points import at_each
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack, put

OUTSIDE = {f"key/{number}": {"n": number} for number in range(9)}


def upload(stack: Stack) -> str:
    """A state from outside in the bucket."""
    entries = [
        Entry(key, place, encode(value)) for place, (key, value) in enumerate(OUTSIDE.items())
    ]
    with TemporaryDirectory() as folder:
        sorter = DiskSort(Path(folder), piece=50)
        return Importer(stack.log, stack.snapshots).upload("moved", entries, sorter).key


@dataclass(frozen=True)
class Kind:
    """What is restored, and into which machine.

    Attributes:
        target: The restore.
        machine: The machine that gets the state.
    """

    target: Target
    machine: str


KINDS = {
    "restore": Kind(Target(MACHINE, block=3), MACHINE),
    "fork": Kind(Target(MACHINE, block=7, fork="copy"), "copy"),
    "import": Kind(Target("moved", imported=upload(Stack())), "moved"),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "CHUNK", 2)
    monkeypatch.setattr(catch_up, "NOTE", 3)


def fresh() -> Stack:
    """Twelve blocks, the last three of them not flushed, and no snapshot."""
    stack = Stack(schedule=Schedule.new(100))
    stack.grow(9)
    for number in range(3):
        stack.lag(put("late", number), put(f"key/{number}", "late"))
    upload(stack)
    return stack


def restored(kind: Kind) -> Stack:
    stack = fresh()
    stack.restorer().carry_out(kind.target, deadline=NEVER)
    return stack


def rehearse(kind: Kind) -> list[str]:
    faults, stack = Faults(), fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "CHUNK", 2)
        patch.setattr(catch_up, "NOTE", 3)
        stack.restorer(faults).carry_out(kind.target, deadline=NEVER)
    return faults.steps


STEPS = {name: rehearse(kind) for name, kind in KINDS.items()}
CASES = [
    pytest.param(name, position, moment, id=f"{name}-{position}-{step}-{moment}")
    for name, steps in STEPS.items()
    for position, step in enumerate(steps)
    for moment in MOMENTS
]
anywhere = at_each(("name", "position", "moment"), CASES)


def killed(stack: Stack, name: str, position: int, moment: Moment) -> bool:
    """Whether the restore block stands in the log when the restorer is gone."""
    kind = KINDS[name]
    with pytest.raises(Killed):
        stack.restorer(Faults({position}, moment)).carry_out(kind.target, deadline=NEVER)
    append = STEPS[name].index("log.append")
    committed = position > append or (position == append and moment == "after")
    newest = stack.log.head(kind.machine)
    assert (newest is not None and newest.body.origin is not None) is committed
    return committed


def state_of(stack: Stack, machine: str) -> dict[str, Any]:
    """The rows to the block number, tombstones and all, and the digest."""
    newest = stack.log.head(machine)
    assert newest is not None
    return {"rows": list(stack.table.scan(machine)), "digest": newest.header.digest}


def run(stack: Stack, machine: str) -> None:
    """The next action."""
    stack.pushed = 40
    stack.clock.milliseconds += 50
    stack.run(put("next", 1), {"do": "list", "key": "seen", "value": ""}, machine=machine)


def test_the_rehearsal_takes_every_kind_of_step() -> None:
    for name, steps in STEPS.items():
        kinds = {"log.append", "table.between", "table.write", "table.write.row"}
        assert kinds | {"machines.raise_watermark", "objects.get", "machines.note_restored"} <= set(
            steps
        )
        assert steps.count("table.write") >= 3
        assert ("machines.register" in steps) == (name != "restore")
    assert STEPS["restore"].count("table.write.row") >= 8


@pytest.mark.parametrize("name", KINDS)
def test_uninterrupted(name: str) -> None:
    stack = restored(KINDS[name])
    block = KINDS[name].target.block
    expected = OUTSIDE if block is None else stack.state_at(block)
    assert stack.stored(KINDS[name].machine) == expected
    stack.assert_whole(KINDS[name].machine)


@anywhere
def test_killed_anywhere_then_caught_up(name: str, position: int, moment: Moment) -> None:
    stack, machine = fresh(), KINDS[name].machine
    if not killed(stack, name, position, moment):
        stack.restorer().carry_out(KINDS[name].target, deadline=NEVER)
    else:
        ports = stack.restorer()
        CatchUp(ports.log, ports.table, ports.machines, ports.snapshots, ports.clock).run(
            machine, deadline=NEVER
        )
    uninterrupted = restored(KINDS[name])
    assert stack.contents() == uninterrupted.contents()
    stack.assert_whole(machine)


@anywhere
def test_killed_anywhere_then_restored_again(name: str, position: int, moment: Moment) -> None:
    """A restore that got as far as its block is brought up before the next is: a no-op then.

    A fork or import that got so far is finished by the same call; one that is finished is refused.
    """
    stack, kind = fresh(), KINDS[name]
    committed = killed(stack, name, position, moment)
    stack.clock.milliseconds += 1
    uninterrupted = restored(kind)
    record = stack.machines.get(kind.machine)
    if committed and name != "restore" and record is not None and record.flushed:
        with pytest.raises(Refused, match="exists already"):
            stack.restorer().carry_out(kind.target, deadline=NEVER)
    elif committed and name != "restore":
        done = stack.restorer().carry_out(kind.target, deadline=NEVER)
        assert done.block.hash == stack.blocks(kind.machine)[0].hash
        assert stack.head(kind.machine) == 1
    else:
        done = stack.restorer().carry_out(kind.target, deadline=NEVER)
        assert done.block.number == uninterrupted.head(kind.machine) + committed
        assert not committed or (done.written, done.deleted) == (0, 0)
    assert state_of(stack, kind.machine) == state_of(uninterrupted, kind.machine)
    stack.assert_whole(kind.machine)


@anywhere
def test_killed_anywhere_then_an_action_comes(name: str, position: int, moment: Moment) -> None:
    stack, kind = fresh(), KINDS[name]
    committed = killed(stack, name, position, moment)
    expected = restored(kind) if committed else fresh()
    for each in (stack, expected):
        run(each, kind.machine)
    assert state_of(stack, kind.machine) == state_of(expected, kind.machine)
    assert ("next" in stack.stored(kind.machine)) is True
    stack.assert_whole(kind.machine)


@anywhere
def test_killed_anywhere_and_read_at_once(name: str, position: int, moment: Moment) -> None:
    stack, kind = fresh(), KINDS[name]
    killed(stack, name, position, moment)
    assert stack.verify().ok
    reader = stack.reader()
    for machine in {MACHINE, kind.machine} & {each.machine for each in stack.machines.list()}:
        view = reader.state(machine)
        assert view.number == stack.head(machine)
        assert view == reader.state_at(machine, view.number)


@anywhere
def test_a_service_fails_anywhere(name: str, position: int, moment: Moment) -> None:
    stack, kind = fresh(), KINDS[name]
    faults = Faults({position}, moment, fail)
    with pytest.raises(Unavailable, match="injected"):
        stack.restorer(faults).carry_out(kind.target, deadline=NEVER)
    newest = stack.log.head(kind.machine)
    committed = newest is not None and newest.body.origin is not None
    expected = restored(kind) if committed else fresh()
    for each in (stack, expected):
        run(each, kind.machine)
    assert state_of(stack, kind.machine) == state_of(expected, kind.machine)
    stack.assert_whole(kind.machine)


@pytest.mark.parametrize("name", KINDS)
def test_killed_again_and_again_it_is_done_in_the_end(name: str) -> None:
    """Each process takes one row more than the one before."""
    stack, kind = fresh(), KINDS[name]
    killed(stack, name, STEPS[name].index("log.append"), "after")
    deaths = 0
    for position in range(3, 400):
        faults = Faults({position})
        try:
            stack.executor(faults).fold(kind.machine, [], deadline=NEVER)
        except Killed:
            deaths += 1
            assert stack.verify(kind.machine).ok
        else:
            break
    assert deaths > 20
    assert state_of(stack, kind.machine) == state_of(restored(kind), kind.machine)


@anywhere
def test_killed_anywhere_then_resumed(name: str, position: int, moment: Moment) -> None:
    stack, kind = fresh(), KINDS[name]
    if not killed(stack, name, position, moment):
        return
    restorer = stack.restorer()
    if restorer.progress(kind.machine) is None:
        with pytest.raises(NotFound, match="is under way"):
            restorer.resume(kind.machine, deadline=NEVER)
    else:
        assert restorer.resume(kind.machine, deadline=NEVER).done
    assert stack.contents() == restored(kind).contents()
    stack.assert_whole(kind.machine)


# -- the steps of the workflow ---------------------------------------------------------------------


def begun(name: str) -> Stack:
    stack = fresh()
    stack.restorer().carry_out(KINDS[name].target, deadline=NEVER, begin_only=True)
    return stack


def in_ranges(stack: Stack, name: str, faults: Faults | None = None) -> None:
    """Split, the ranges last to first, finish: as the workflow does it."""
    machine = KINDS[name].machine
    restorer = stack.restorer(faults)
    assert restorer.settle(machine, deadline=NEVER)
    number, spans = restorer.split(machine, 3)
    assert (len(spans) > 1) == (number > 0)
    for span in reversed(spans):
        assert restorer.fill(machine, number, span, deadline=NEVER).done
    if restorer.progress(machine) is not None:
        assert restorer.resume(machine, deadline=NEVER).done


def rehearse_ranges(name: str) -> list[str]:
    faults = Faults()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catch_up, "CHUNK", 2)
        patch.setattr(catch_up, "NOTE", 3)
        in_ranges(begun(name), name, faults)
    return faults.steps


@at_each(
    ("name", "position", "moment"),
    [
        pytest.param(name, position, moment, id=f"{name}-{position}-{step}-{moment}")
        for name in KINDS
        for position, step in enumerate(rehearse_ranges(name))
        for moment in MOMENTS
    ],
)
def test_the_workflow_killed_anywhere_then_started_again_or_left_to_an_executor(
    name: str, position: int, moment: Moment
) -> None:
    for by_executor in (False, True):
        stack, machine = begun(name), KINDS[name].machine
        with pytest.raises(Killed):
            in_ranges(stack, name, Faults({position}, moment))
        expected = restored(KINDS[name])
        if by_executor:
            for each in (stack, expected):
                run(each, machine)
        else:
            in_ranges(stack, name)
        assert state_of(stack, machine) == state_of(expected, machine)
        stack.assert_whole(machine)
