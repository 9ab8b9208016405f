"""Runs a use case once to see its calls, and once for each point at which it may be struck."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from types import CodeType
from typing import Any
from unittest.mock import patch

from blockfold.bootstrap import reader
from blockfold.domain.errors import BlockfoldError
from tests.simulation import environments
from tests.simulation.environments import module_of, simulated
from tests.simulation.laws import check_laws
from tests.simulation.matrix import points
from tests.simulation.matrix.case import Case, Do, rest
from tests.simulation.matrix.points import Point, Step
from tests.simulation.matrix.stage import Stage, Stopped, plan_of
from tests.simulation.story import Violation

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What a use case does when nothing strikes.

    Attributes:
        case: The use case.
        saved: What the services hold before it.
        steps: Its calls.
        payloads: What functions were called with.
        entered: The functions of the product that were entered, among those looked for.
        outcome: What came of it.
    """

    case: Case
    saved: bytes
    steps: tuple[Step, ...]
    payloads: tuple[tuple[str, Any], ...]
    entered: frozenset[str]
    outcome: Outcome

    @property
    def crashes(self) -> list[Point]:
        """All points at which its process may die."""
        return points.crashes(self.steps)

    @property
    def distinct(self) -> list[Point]:
        """Those of `crashes` that leave different things behind."""
        return points.distinct(self.steps)

    @property
    def failures(self) -> list[Point]:
        """All points at which a call, or a part of one, may fail."""
        return points.failures(self.steps)


SEGMENT_BYTES = 12_000
"""Segments hold some blocks, so that a few can be merged."""


@contextmanager
def on_stage() -> Iterator[None]:
    """As `simulated`; and a restore that may be begun only, is."""
    with (
        simulated(),
        patch.object(module_of("restorer"), "LARGE_SECONDS", -1.0),
        patch.object(environments, "SEGMENT_BYTES", SEGMENT_BYTES),
    ):
        yield


def record(case: Case, watched: dict[CodeType, str] | None = None) -> Recorded:
    """Run a use case without faults; call it within `on_stage`.

    Args:
        case: The use case.
        watched: Functions of the product to look for, with their names.

    Raises:
        Violation: It breaks a law as it is.
    """
    before = Stage(plan_of(**case.plan))
    case.setup(before)
    saved = before.save()
    stage = Stage(plan_of(**case.plan), saved)
    stage.watched = watched or {}
    case.warm(stage)
    stage.recording = True
    _work(case, stage)
    stage.recording = False
    payloads = tuple(stage.payloads)
    if case.reads:
        assert not any(step.writes for step in stage.steps), f"{case.name} writes"
    _finish(case, stage)
    entered = frozenset(stage.watched[code] for code in stage.entered)
    return Recorded(case, saved, tuple(stage.steps), payloads, entered, outcome(stage))


def hold(recorded: Recorded, *, every_part: bool, enough: float = inf) -> tuple[int, list[str]]:
    """Strike a use case at all its points: how many runs that were, and what went wrong.

    Args:
        recorded: The use case.
        every_part: Whether each part of each batch fails; else the first and the last of each.
        enough: How much has to go wrong for the rest to be left out.
    """
    runs, wrong = 0, []
    for index, recover in enumerate(recorded.case.recover.values()):
        struck = recorded.distinct  # who makes a failure good does not matter
        if index == 0:
            struck = struck + [
                point
                for point in recorded.failures
                if every_part or point.part in (-1, 0, len(recorded.steps[point.call].parts) - 1)
            ]
        for point in struck:
            runs += 1
            try:
                strike(recorded, point, recover)
            except AssertionError as error:
                wrong.append(str(error))
            if len(wrong) >= enough:
                return runs, wrong
    return runs, wrong


def strike(recorded: Recorded, point: Point, recover: Do) -> None:
    """Run a use case with a fault at one point, make it good, and hold all laws.

    Raises:
        Violation: A law does not hold, with the story.
    """
    case = recorded.case
    stage = Stage(plan_of(**case.plan), recorded.saved)
    try:
        case.warm(stage)
        stage.point = point
        stopped = _work(case, stage)
        if not stage.hit:
            raise Violation("one run is as the other", f"{point} was not reached")
        if case.readable:
            _read(case, stage)
        if stopped:
            stage.observing = case.observed
            recover(stage)
            stage.observing = True
            stage.settle_truth()
        _finish(case, stage)
        _compare(case, recorded.outcome, outcome(stage), stage)
    except Violation as violation:
        story = "\n".join(stage.story.words())
        raise AssertionError(
            f"{case.name}, {point}: {violation}\n{story}\n{case.name}, {point}: {violation}"
        ) from violation
    finally:
        stage.abandon()


def _work(case: Case, stage: Stage) -> bool:
    """Whether it was cut short."""
    stage.working = True
    stage.observing = case.observed
    try:
        case.work(stage)
    except Stopped as stopped:
        if stage.point is None:
            raise Violation("without faults", f"{case.name}: {stopped!r}") from stopped
        return True
    finally:
        stage.working = False
        stage.observing = True
        stage.settle_truth()
    stage.check()
    return False


def _read(case: Case, stage: Stage) -> None:
    """Whatever was left undone, readers read exactly the state at the head, or refuse.

    They may refuse only while an operator puts a machine back or takes it away.
    """
    stage.check()
    for machine, life in stage.truth.lives.items():
        if not life.head:
            continue
        try:
            view = reader(stage.observer).state(machine)
        except BlockfoldError as error:
            if case.observed:
                raise Violation("readers", f"{machine}: {error}") from error
            continue
        if (view.number, view.entries) != (life.head, life.chain[-1].entries):
            raise Violation("readers", f"{machine} is read at {view.number} of {life.head}")


def _finish(case: Case, stage: Stage) -> None:
    case.learn(stage)
    rest(stage)
    stage.settle_truth()
    case.mend(stage)
    stored = stage.stored()
    if stored not in _lawful:
        check_laws(stage)
        _lawful.add(stored)
    case.check(stage)
    stage.check()


_lawful: set[str] = set()
"""What was stored, and had to be, whenever all laws held: the same need not be looked at again."""


def outcome(stage: Stage) -> Outcome:
    """What a use case comes to, as far as it must be the same whatever struck."""
    found: Outcome = {}
    for machine, life in stage.truth.lives.items():
        if not life.head:
            continue
        record_ = stage.observer.machines.get(machine)
        assert record_ is not None
        kinds: list[Any] = []
        for each in life.chain:
            for _, _, one in each.block.body.actions:
                kinds.append((bytes(one.args), one.outcome))
            origin = each.block.body.origin
            if origin is not None:
                brought = (origin.kind, origin.machine, origin.number)
                if kinds[-1:] != [brought]:
                    kinds.append(brought)
        found[machine] = {
            "state": life.chain[-1].entries,
            "blocks": kinds,
            "dumper": (record_.schedule.current.count, record_.schedule.current.running),
            "retention": record_.retention,
            "snapshots": (life.head, stage.observer.snapshots.numbers(machine)),
        }
    return found


def _compare(case: Case, wanted: Outcome, found: Outcome, stage: Stage) -> None:
    if not case.same or stage.notes.get("went on"):
        return
    if wanted.keys() != found.keys():
        raise Violation("the same outcome", f"{sorted(found)}, not {sorted(wanted)}")
    for machine, its in wanted.items():
        for name, value in its.items():
            other = found[machine][name]
            if name == "snapshots" and value[0] != other[0]:
                continue  # one more restore block moves what is due
            if value != other:
                raise Violation("the same outcome", f"{name} of {machine}: {other}, not {value}")
