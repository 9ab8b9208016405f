"""One run: services, processes, faults, and who moves next; all from one seed.

Time goes on by a few milliseconds a call, by waits, and by jumps. A process that is frozen sleeps
while the others go on, for up to `LONGEST`; its next call then comes late, and it is a zombie if
the platform took it for dead. After `LONGEST` no process makes another call: Lambda ends functions
after 15 minutes, and AWS refuses requests that were signed longer ago than that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from blockfold.adapters.envelope import unseal
from blockfold.bootstrap import Adapters
from tests.faults import Killed
from tests.simulation.effects import observe
from tests.simulation.environments import TIMEOUTS, Environment, adapters_of, handle
from tests.simulation.plan import Plan
from tests.simulation.services import STACK, Call, Cloud, Direct, PartFailed, faults
from tests.simulation.services.queues import Message
from tests.simulation.story import Story, Violation
from tests.simulation.tasks import Task, here
from tests.simulation.truth import Truth

BEGIN = 1_790_000_000_000
"""Milliseconds since 1970 UTC."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LONGEST = 8 * HOUR
"""The product counts on no process living longer; Lambda gives a thirtieth of it."""

NAPS = (2 * SECOND, 40 * SECOND, 5 * MINUTE, 7 * MINUTE, 20 * MINUTE, 3 * HOUR, 7 * HOUR)
"""For how long processes are frozen: within their time, beyond it, beyond the queue's visibility
timeout, beyond what caches are trusted for, and as long as can be."""

RETRIES = 3
"""What the SDK tries again on its own (`blockfold.adapters.clients`)."""

CALL_FAULTS = (
    "kill before",
    "kill after",
    "freeze before",
    "freeze after",
    "lose answer",
    "no answer",
    "throttle",
    "broken",
    "slow",
)

WRITES = {
    "PutItem",
    "UpdateItem",
    "BatchExecuteStatement",
    "PutObject",
    "DeleteObjects",
    "PutEvents",
}
STICKY = 0.6
"""How likely the environment that was used last is used again: others idle for long then."""

WRITES_WEIGH = 3.0
"""How much likelier these are to be struck: what is read hardly differs a call later."""

RACED = {"PutItem", "BatchExecuteStatement"}
RACED_FREEZES_WEIGH = 4.0
"""How much likelier commits and state writes are delayed than other writes: only conditions stand
between them and what came meanwhile."""

T = TypeVar("T")


class WorldClock:
    """The services' time."""

    def __init__(self, now: int) -> None:
        self.milliseconds = now

    def now(self) -> int:
        return self.milliseconds

    def monotonic(self) -> float:
        return self.milliseconds / 1000

    def sleep(self, seconds: float) -> None:
        self.milliseconds += int(seconds * 1000)


class World:
    """Everything in one run.

    Args:
        plan: What is to happen.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clock = WorldClock(BEGIN)
        self.cloud = Cloud(
            STACK,
            clock=self.clock,
            random=Random(0),
            page=plan.page,
            stale=plan.stale,
        )
        self.random = self.cloud.random
        self.begin("world")
        self.settings = replace(
            self.cloud.settings, machine="tests.machines_for_tests:Cells", count=plan.count
        )
        self.story = Story(begins=BEGIN)
        self.truth = Truth()
        self.totals: Counter[str] = Counter()
        self.tasks: list[Task] = []
        self.environments: dict[str, list[Environment]] = {}
        self.faulty = True
        self.archives: set[tuple[str, int]] = set()  # looked at when blocks were let go
        self.prefer = ""  # which environment of a function is taken next, instead of any
        self.violation: Violation | None = None
        self.observer: Adapters = adapters_of(self, Direct(), self.clock)
        self.outside = self.observer.clients
        self.names = [f"m{number}" for number in range(plan.machines)]
        self.sent: list[tuple[str, str, str, int]] = []
        self.producers: dict[tuple[str, int], Any] = {}  # by machine and place among them
        self._made = 0
        self._faults = _thresholds(plan, 1.0)
        self._write_faults = _thresholds(plan, WRITES_WEIGH)
        self._raced_faults = _thresholds(plan, WRITES_WEIGH, RACED_FREEZES_WEIGH)

    # -- chances ---------------------------------------------------------------------------

    def begin(self, part: str) -> None:
        """From now on, chances are those of a part of the run, whatever was before it."""
        self._part = part
        self._begun = 0
        self._take(Random(f"{self.plan.seed}/{part}"))

    def _take(self, random: Random) -> None:
        self.random = self.cloud.random = random

    # -- telling ---------------------------------------------------------------------------

    def tell(self, who: str, what: str, *things: Any) -> None:
        """A line of the story."""
        self.story.tell(self.clock.milliseconds, who, what, *things)

    def fail(self, law: str, what: str) -> None:
        """A law does not hold; the run ends at the next occasion."""
        if self.violation is None:
            self.violation = Violation(law, what)
            self.tell("", f"VIOLATION of {law}: {what}")

    def check(self) -> None:
        """Raise the violation, if there is one."""
        if self.violation is not None:
            raise self.violation

    def chance(self, fault: str) -> bool:
        """Whether a fault strikes here."""
        rate = self.plan.faults.get(fault, 0.0) if self.faulty else 0.0
        return rate > 0 and self.random.random() < rate and fault not in self.plan.off

    def accept(self, message: Message) -> None:
        """The queue took a message, or says again that it did."""
        opened = unseal(message.body, message.named)
        body = "no json" if opened.spoiled else opened.body
        name = (opened.producer, opened.count) if opened.producer else None
        self.totals["repeated late"] += self.truth.accept(
            message.group, message.id, message.sequence, body, name
        )

    def is_fresh(self, sent: tuple[str, str, str, int]) -> bool:
        """Whether the queue still knows a message as one that it took."""
        return self.clock.milliseconds - sent[3] < 4 * MINUTE

    def is_drained(self) -> bool:
        """Whether nothing waits to be delivered."""
        stream = self.cloud.stream()
        return not (len(self.cloud.actions) or any(map(stream.pending, ("announcer", "archiver"))))

    # -- processes -------------------------------------------------------------------------

    def environment(self, function: str) -> Environment:
        """An idle environment of a function, or a new one."""
        all_ = self.environments.setdefault(function, [])
        idle = [each for each in all_ if not each.busy]
        if idle and self.prefer == "idle longest":
            return min(idle, key=lambda each: each.used)
        if idle and self.chance("cold"):
            all_.remove(idle.pop(0))
        if not idle or self.prefer == "new" or self.chance("second environment"):
            self._made += 1
            new = Environment.new(function, f"{function}#{self._made}", self, Steps(self))
            all_.append(new)
            return new
        if self.prefer or self.random.random() < STICKY:
            return max(idle, key=lambda each: each.used)
        return self.random.choice(idle)

    def invoke(
        self, function: str, event: Any, done: Callable[[Task], None] = lambda task: None
    ) -> Task:
        """Begin an invocation of a function; the director lets it move later."""
        return self.spawn(function, handle(function, event), TIMEOUTS[function] * SECOND, done)

    def spawn(
        self,
        function: str,
        work: Callable[[Task], Any],
        timeout: int = LONGEST,
        done: Callable[[Task], None] = lambda task: None,
    ) -> Task:
        """Begin something in an environment of a function."""
        environment = self.environment(function)
        environment.busy = True
        now = environment.used = self.clock.milliseconds
        task = Task(
            environment.name,
            self,
            environment,
            work,
            random=Random(f"{self.plan.seed}/{self._part}/{self._begun}"),
            began=now,
            deadline=now + timeout,
            heads=self.truth.heads(),
            done=done,
        )
        self._begun += 1
        self.tasks.append(task)
        self.totals["invocations"] += 1
        return task

    def let(self, task: Task) -> None:
        """Let a task move until it waits or is over."""
        director = self.random
        self._take(task.random)
        task.go()
        self._take(director)
        self.check()
        if task.ended:
            self._end(task)

    def finish(self, task: Task) -> None:
        """Let a task move until it is over, whatever it waits for."""
        while not task.ended:
            self.clock.milliseconds = max(self.clock.milliseconds, task.until)
            self.let(task)

    @property
    def ready(self) -> list[Task]:
        """The tasks that can move."""
        now = self.clock.milliseconds
        return [task for task in self.tasks if task.until <= now]

    def abandon(self) -> None:
        """End all tasks."""
        for task in self.tasks:
            task.doomed = True
            while not task.ended:
                task.go()
        self.tasks.clear()

    def _end(self, task: Task) -> None:
        self.tasks.remove(task)
        task.environment.busy = False
        error = task.error
        if task.killed:
            self.environments[task.environment.function].remove(task.environment)
        elif error is None:
            self.tell(task.name, "ends", task.answer)
        else:
            self.tell(task.name, "ends", error)
        task.done(task)
        self.check()

    # -- calls -----------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Called by a task: wait."""
        task = here()
        task.until = self.clock.milliseconds + int(seconds * 1000)
        while task.until > self.clock.milliseconds:
            task.wait()
            self._live(task)

    def call(self, call: Call, effect: Callable[[], T]) -> T:
        """Called by a task: make a call to a service, or not."""
        task = here()
        self._live(task)
        self.totals["calls"] += 1
        self.clock.milliseconds += 1 + int(self.random.random() * 15)
        if self.random.random() < self.plan.switch:
            task.wait()
            self._live(task)
        if not self.faulty:
            return self._do(task, call, effect, "")
        for attempt in range(RETRIES + 1):
            fault = self._fault(call)
            try:
                return self._struck(task, call, effect, fault)
            except _Unanswered as unanswered:
                self.totals[fault] += 1
                if attempt == RETRIES or self.random.random() < 0.4:
                    self.tell(task.name, f"[{fault}] call:", call, unanswered.error)
                    raise unanswered.error from None
                self.tell(task.name, f"[{fault}, tried again] call:", call)
                self.clock.milliseconds += int(self.random.random() * SECOND)
                self._live(task)
        raise AssertionError("the loop above ends by return or raise")

    def part(self, call: Call, do: Callable[[], T]) -> T:
        """Called by a task: make one part of a batch, or not."""
        if self.faulty:
            if self.chance("part before"):
                self.totals["parts"] += 1
                raise PartFailed(self._part_code(call))
            if self.chance("part after"):
                self.totals["parts"] += 1
                do()
                raise PartFailed(self._part_code(call))
        return do()

    def crash(self, task: Task, how: str) -> None:
        """Called by a task: it dies here."""
        task.killed = task.doomed = True
        self.totals["crashes"] += 1
        self.tell(task.name, f"DIES: {how}")
        raise Killed

    def _live(self, task: Task) -> None:
        """Die if it is time to."""
        if task.doomed or self.violation is not None:
            task.killed = True
            raise Killed
        now = self.clock.milliseconds
        if now > task.began + LONGEST:
            self.crash(task, "nothing lives longer")
        if now > task.deadline:
            if task.froze:
                if not task.zombie:
                    task.zombie = True
                    self.totals["zombies"] += 1
                    self.tell(task.name, "goes on as a ZOMBIE")
            else:
                self.totals["timeouts"] += 1
                self.crash(task, "its time is over")

    def _fault(self, call: Call) -> str:
        conditional = call.operation == "PutObject" and "IfNoneMatch" in call.params
        if conditional and self.chance("conflict"):
            return "conflict"
        found = self._write_faults if call.operation in WRITES else self._faults
        if call.operation in RACED:
            found = self._raced_faults
        if found:
            drawn = self.random.random()
            if drawn < found[-1][0]:
                fault = next(name for bound, name in found if drawn < bound)
                return "" if fault in self.plan.off else fault
        return ""

    def _struck(self, task: Task, call: Call, effect: Callable[[], T], fault: str) -> T:
        if not fault:
            return self._do(task, call, effect, "")
        if fault == "kill before":
            self.tell(task.name, "before", call)
            self.crash(task, "before that call")
        if fault == "freeze before":
            self.tell(task.name, "sends", call)
            self._freeze(task)
        if fault == "slow":
            self.clock.milliseconds += self.random.choice((SECOND, 5 * SECOND, 30 * SECOND))
            self._live(task)
        if fault == "conflict":
            self.totals["409"] += 1
            self.tell(task.name, "[409]", call)
            raise faults.conflict(call)
        if fault == "throttle":
            raise _Unanswered(faults.throttled(call))
        if fault == "no answer":
            raise _Unanswered(faults.not_connected())
        if fault == "broken" and self.random.random() < 0.5:
            raise _Unanswered(faults.broken(call))
        if fault in {"lose answer", "broken"}:
            with suppress(ClientError):  # nobody hears of it
                self._do(task, call, effect, "answer lost")
            raise _Unanswered(faults.timed_out() if fault != "broken" else faults.broken(call))
        answer = self._do(task, call, effect, "")
        if fault == "kill after":
            self.crash(task, "after that call")
        if fault == "freeze after":
            self._freeze(task)
        return answer

    def _do(self, task: Task, call: Call, effect: Callable[[], T], note: str) -> T:
        try:
            answer = effect()
        except ClientError as error:
            self.tell(task.name, note, call, error)
            raise
        self.tell(task.name, note, call, answer)
        page, self.cloud.page = self.cloud.page, 1000
        try:
            observe(self, task, call, answer)
        except Violation as violation:
            self.fail(violation.law, violation.what)
            task.killed = True
            raise Killed from None
        finally:
            self.cloud.page = page
        return answer

    def _freeze(self, task: Task) -> None:
        nap = self.random.choice(NAPS)
        task.froze += 1
        task.until = self.clock.milliseconds + nap
        self.totals["freezes"] += 1
        self.tell(task.name, f"FREEZES for {nap // SECOND} s")
        while task.until > self.clock.milliseconds:
            task.wait()
            if self.violation is not None or task.doomed:
                self._live(task)
        self._live(task)
        self.tell(task.name, "thaws")

    def _part_code(self, call: Call) -> str:
        if call.operation == "BatchExecuteStatement":
            return self.random.choice(("ThrottlingError", "InternalServerError"))
        return "InternalFailure"


def _thresholds(plan: Plan, weight: float, freezes: float = 1.0) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    total = 0.0
    for name in CALL_FAULTS:
        if rate := plan.faults.get(name):
            total += weight * rate * (freezes if name == "freeze before" else 1.0)
            found.append((total, name))
    return found


class _Unanswered(Exception):
    """A call of which the process hears nothing good."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Steps:
    """The hook of a process: each call is a step of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        return self._world.call(call, effect)

    def part(self, call: Call, index: int, do: Callable[[], T]) -> T:
        return self._world.part(call, do)
