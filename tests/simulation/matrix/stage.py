"""A world in which one process does one thing, and is struck at a chosen call.

Processes run one after the other: there is no chance in it. What the services hold can be saved,
and brought back for the next point.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from types import CodeType, FrameType
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from tests.simulation.environments import TIMEOUTS, adapters_of, handle
from tests.simulation.matrix.points import WRITES, Point, Step
from tests.simulation.moves import judge
from tests.simulation.plan import Plan
from tests.simulation.services import Call, Direct, PartFailed, faults
from tests.simulation.tasks import Task, here
from tests.simulation.world import SECOND, World

T = TypeVar("T")

SECONDS = {**TIMEOUTS, "driller": 900}
OPERATOR = 8 * 3600
"""Seconds that a command of the command line may take."""


class Stopped(Exception):
    """A process died or failed, so what comes after it in a use case does not happen."""


class Stage(World):
    """A world for one use case.

    Args:
        plan: How it is made.
        saved: What `save` gave; None begins with nothing.
    """

    def __init__(self, plan: Plan, saved: bytes | None = None) -> None:
        super().__init__(plan)
        self.faulty = False
        self.observing = True
        self.recording = False
        self.point: Point | None = None
        self.working = False
        self.steps: list[Step] = []
        self.position = -1
        self.part_position = -1
        self.hit = False
        self.payloads: list[tuple[str, Any]] = []
        self.entered: set[CodeType] = set()
        self.watched: dict[CodeType, str] = {}
        self.notes: dict[str, Any] = {}
        self.strike: Callable[[Call], bool] | None = None
        if saved is not None:
            self._load(saved)

    # -- what the services hold ------------------------------------------------------------

    def save(self) -> bytes:
        """Everything but processes, as bytes."""
        self.settle_truth()
        kept = (self.clock, self.cloud, self.truth, self.names, self.notes)
        return pickle.dumps(kept, pickle.HIGHEST_PROTOCOL)

    def _load(self, saved: bytes) -> None:
        self.clock, self.cloud, self.truth, self.names, self.notes = pickle.loads(saved)
        self.observer = adapters_of(self, Direct(), self.clock)
        self.outside = self.observer.clients
        self.begin("work")

    def fingerprint(self) -> str:
        """A hash of what the services hold; time and chance are no part of it."""
        cloud = self.cloud
        clock, random = cloud.clock, cloud.random
        cloud.clock = cloud.random = None  # type: ignore[assignment]
        try:
            return sha256(pickle.dumps(cloud, pickle.HIGHEST_PROTOCOL)).hexdigest()
        finally:
            cloud.clock, cloud.random = clock, random

    def stored(self) -> str:
        """A hash of all that the laws are about: what is stored, and what must be so."""
        rows = [table.items() for table in self.cloud.tables.values()]
        objects = {key: each.data for key, each in self.cloud.bucket.objects.items()}
        settings = (self.cloud.page, self.cloud.stale)
        content = pickle.dumps((rows, objects, settings, self.truth), pickle.HIGHEST_PROTOCOL)
        return sha256(content).hexdigest()

    def settle_truth(self) -> None:
        """Tell the truth what the queue took, whoever sent it."""
        for each in self.cloud.actions.accepted:
            self.accept(each)

    # -- processes -------------------------------------------------------------------------

    def called(self, function: str, payload: Any) -> Any:
        """Call a function and wait for its answer.

        Raises:
            Stopped: It died, or ended in an error.
        """
        self.payloads.append((function, payload))
        return self.ran(function, handle(function, payload), SECONDS[function])

    def ran(self, name: str, work: Callable[[Task], Any], seconds: int = OPERATOR) -> Any:
        """Do something in a process and wait for what comes of it; see `called`."""
        task = self.spawn(
            name, self._profiled(work), seconds * SECOND, lambda task: judge(self, task)
        )
        self.finish(task)
        if task.killed or task.error is not None:
            raise Stopped(task.error)
        return task.answer

    def delivered(self, function: str, event: Any, settle: Callable[[Any], None]) -> None:
        """Hand an event to a function, and its answer (or None) to who delivered it."""
        try:
            answer = self.called(function, event)
        except Stopped:
            settle(None)
        else:
            settle(answer)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """What is done meanwhile is held against the laws call by call."""
        before, self.observing = self.observing, True
        try:
            yield
        finally:
            self.observing = before

    def invoke(
        self, function: str, event: Any, done: Callable[[Task], None] = lambda _: None
    ) -> Task:
        self.payloads.append((function, event))
        work = self._profiled(handle(function, event))
        return self.spawn(function, work, SECONDS[function] * SECOND, done)

    def _profiled(self, work: Callable[[Task], Any]) -> Callable[[Task], Any]:
        if not (self.recording and self.working):
            return work

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code in self.watched:
                self.entered.add(frame.f_code)

        def profiled(task: Task) -> Any:
            sys.setprofile(note)
            try:
                return work(task)
            finally:
                sys.setprofile(None)

        return profiled

    # -- calls -----------------------------------------------------------------------------

    def call(self, call: Call, effect: Callable[[], T]) -> T:
        task = here()
        self._live(task)
        self.clock.milliseconds += 1
        if self.strike is not None and self.strike(call):
            self._do(task, call, effect, "")
            self.crash(task, "after that call")
        if not self.working:
            return self._do(task, call, effect, "")
        self.position += 1
        self.part_position = -1
        if self.recording:
            return self._recorded(task, call, effect)
        point = self.point
        if point is None or point.call != self.position or point.part >= 0:
            return self._do(task, call, effect, "")
        return self._hit(task, call, effect, point.how)

    def _recorded(self, task: Task, call: Call, effect: Callable[[], T]) -> T:
        before = self.fingerprint()
        conditional = call.operation == "PutObject" and "IfNoneMatch" in call.params
        name = f"{call.client.rstrip('_')}.{call.operation}"
        writes = call.operation in WRITES
        function = task.environment.function
        step = Step(function, name, writes, conditional, before, before, [])
        self.steps.append(step)
        try:
            return self._do(task, call, effect, "")
        finally:
            step.after = self.fingerprint()
            assert writes or step.after == before, f"{name} is no read"

    def _hit(self, task: Task, call: Call, effect: Callable[[], T], how: str) -> T:
        self.hit = True
        self.tell(task.name, f"[{how}]", call)
        if how == "crash before":
            self.crash(task, "before that call")
        if how == "fail":
            raise faults.broken(call)
        if how == "conflict":
            raise faults.conflict(call)
        if how == "crash after":
            with suppress(ClientError):  # nobody hears of it
                self._do(task, call, effect, "")
            self.crash(task, "after that call")
        try:
            self._do(task, call, effect, "")
        except ClientError:
            if how == "lose the answer":
                raise faults.timed_out() from None
            raise
        if how == "lose the answer":
            raise faults.timed_out()
        assert how == "twice", how
        return self._do(task, call, effect, "sent again")

    def part(self, call: Call, do: Callable[[], T]) -> T:
        if not self.working:
            return do()
        self.part_position += 1
        if self.recording:
            self.steps[-1].parts.append(self.fingerprint())
            return do()
        point = self.point
        if point is None or (point.call, point.part) != (self.position, self.part_position):
            return do()
        self.hit = True
        self.tell(here().name, f"[{point.how} {point.part}]", call)
        if point.how == "crash between parts":
            self.crash(here(), f"before part {point.part}")
        if point.how == "part's answer is lost":
            do()
        raise PartFailed(self._code(call))

    @staticmethod
    def _code(call: Call) -> str:
        if call.operation == "BatchExecuteStatement":
            return "ThrottlingError"
        return "InternalFailure"

    def _do(self, task: Task, call: Call, effect: Callable[[], T], note: str) -> T:
        if self.observing:
            return super()._do(task, call, effect, note)
        answer = effect()
        self.tell(task.name, note, call, answer)
        return answer


def plan_of(**fields: Any) -> Plan:
    """A plan without chance."""
    return replace(Plan(0, switch=0.0, page=1000), **fields)
