"""Lambda's execution environments, with the real handlers in them.

A handler's module is loaded once, as a copy of its own. What it keeps in memory between two
invocations (`functools.cache`) is kept for each environment apart: the module's factories are
called anew in each. Its clock is the simulated one, its metrics are counted, its log lines become
part of the story. Nothing else of it is replaced, and the wiring is `blockfold.bootstrap`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import _lru_cache_wrapper
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from blockfold.adapters.archive import ObjectArchive
from blockfold.adapters.archived_log import ArchivedBlockLog
from blockfold.adapters.dynamodb import DynamoBlockLog
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application.execute import Executor
from blockfold.application.tail import Bounds
from blockfold.bootstrap import Adapters
from blockfold.domain.limits import Limits
from tests.simulation.services import Hook, SimClients
from tests.simulation.tasks import here

TIMEOUTS = {
    "executor": 60,
    "announcer": 60,
    "archiver": 120,
    "dumper": 900,
    "pruner": 900,
    "restorer": 900,
}
"""Seconds that the stack gives each function."""

RUN_BYTES = 120
SEGMENT_BYTES = 3_000
"""Files are closed early, so that a small state has many."""

CHUNK = 3
"""Writes between two looks at the clock, where the product takes hundreds."""


class EnvironmentClock:
    """The clock of one environment, which may be wrong by a little."""

    def __init__(self, world: Any, skew: int) -> None:
        self._world = world
        self._skew = skew

    def now(self) -> int:
        return int(self._world.clock.now() + self._skew)

    def monotonic(self) -> float:
        return float(self._world.clock.now() / 1000)

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)


@dataclass(eq=False)
class Environment:
    """The memory of one process, and its way to the services.

    Attributes:
        function: The function's name.
        name: What the story calls it.
        world: Where it runs.
        adapters: Its ports.
        clock: Its clock.
        cache: What it keeps between invocations.
        busy: Whether an invocation runs in it.
        used: When the last one began, milliseconds.
    """

    function: str
    name: str
    world: Any
    adapters: Adapters
    clock: EnvironmentClock
    cache: dict[str, Any] = field(default_factory=dict)
    busy: bool = False
    used: int = 0

    @classmethod
    def new(cls, function: str, name: str, world: Any, hook: Hook) -> Environment:
        """An environment that knows nothing yet."""
        skew = world.plan.skew
        clock = EnvironmentClock(world, world.random.randint(-skew, skew) if skew else 0)
        return cls(function, name, world, adapters_of(world, hook, clock), clock)


def adapters_of(world: Any, hook: Hook, clock: Any) -> Adapters:
    """The stack's ports over simulated services, with small files and bodies."""
    clients = SimClients(world.cloud, hook).as_clients()
    adapters = Adapters(world.settings, clients)
    adapters.clock = clock
    made = adapters.__dict__  # where cached properties keep what they made
    made["snapshots"] = ObjectSnapshots(adapters.objects, part=RUN_BYTES, now=clock.now)
    made["log"] = DynamoBlockLog(
        clients.dynamodb,
        adapters.settings.blocks_table,
        adapters.objects,
        inline=world.plan.inline,
    )
    made["archive"] = ObjectArchive(adapters.objects, part=SEGMENT_BYTES)
    made["archived_log"] = ArchivedBlockLog(
        adapters.log, adapters.archive, monotonic=clock.monotonic
    )
    return adapters


@dataclass(frozen=True)
class Invocation:
    """What a handler sees of Lambda's context."""

    task: Any
    function_name: str

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(self.task.deadline - self.task.world.clock.now()))


class _PerEnvironment:
    """Stands for a cached factory of a handler's module."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name = name
        self._make = make

    def __call__(self) -> Any:
        cache = here().environment.cache
        if self._name not in cache:
            cache[self._name] = _tuned(self._make())
        return cache[self._name]

    def cache_clear(self) -> None:
        here().environment.cache.pop(self._name, None)


def _tuned(made: Any) -> Any:
    """An executor with blocks and bounds that are soon full; anything else as it is.

    It runs suspects' actions itself, where the product starts processes: those have tests of
    their own, and take milliseconds.
    """
    if not isinstance(made, Executor):
        return made
    plan = here().world.plan
    bounds = Bounds(writes=plan.tail, chunk=CHUNK)
    return replace(made, limits=Limits(actions=plan.block), bounds=bounds, confine=None)


class _Metrics:
    """Counts what a handler measures."""

    namespace = "Blockfold"

    def add_metric(self, name: str, unit: object, value: float) -> None:
        here().world.totals[f"metric {name}"] += int(value)

    def add_dimension(self, name: str, value: str) -> None:
        """All machines and functions are counted together."""


class _Logger:
    """Puts what a handler logs into the story."""

    def info(self, message: str, **fields: Any) -> None:
        self._tell("log", message, fields)

    def warning(self, message: str, *_: object, **fields: Any) -> None:
        self._tell("warn", message, fields)

    def exception(self, message: str, **fields: Any) -> None:
        """Only what nobody foresaw is logged so."""
        self._tell("DEFECT", message, fields)
        here().world.fail("no defects", f"{message}: {sys.exc_info()[1]!r} {fields}")

    def _tell(self, level: str, message: str, fields: dict[str, Any]) -> None:
        task = here()
        known = {key: value for key, value in fields.items() if value not in (None, [], 0, {})}
        task.world.story.tell(task.world.clock.now(), task.name, f"{level}: {message}", known)


class _Serial:
    """Stands for a pool of threads: the same works, one after the other, in any order."""

    def __init__(self, _lanes: int) -> None:
        pass

    def __enter__(self) -> _Serial:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """The call's answer or error; it is made at once."""
        future: Future[Any] = Future()
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised when it is asked for
            future.set_exception(error)
        return future

    def map(self, work: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        """The answers in order; an error stops nothing but is raised in its place."""
        todo = list(enumerate(things))
        here().world.random.shuffle(todo)
        answers: dict[int, Any] = {}
        errors: dict[int, Exception] = {}
        for position, thing in todo:
            try:
                answers[position] = work(thing)
            except Exception as error:  # noqa: BLE001 - raised below
                errors[position] = error
        for position in range(len(todo)):
            if position in errors:
                raise errors[position]
            yield answers[position]


def _load(name: str) -> Any:
    path = Path(__file__).parents[2] / "lambdas" / f"{name}.py"
    spec = spec_from_file_location(f"tests.simulation.handlers.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for key, value in list(vars(module).items()):
        if isinstance(value, _lru_cache_wrapper):
            setattr(module, key, _PerEnvironment(key, value.__wrapped__))
    changes = {
        "time": SimpleNamespace(monotonic=_monotonic),
        "metrics": _Metrics(),
        "logger": _Logger(),
        "single_metric": _single_metric,
        "Adapters": lambda _settings: here().environment.adapters,
        "Settings": SimpleNamespace(from_environment=lambda: None),
        "BATCH": 3,
        "BUSY": 2,
    }
    for key, value in changes.items():
        if hasattr(module, key):
            setattr(module, key, value)
    return module


def _monotonic() -> float:
    seconds: float = here().environment.clock.monotonic()
    return seconds


def _sleep(seconds: float) -> None:
    here().world.sleep(seconds)


def _uniform(low: float, high: float) -> float:
    number: float = here().world.random.uniform(low, high)
    return number


@contextmanager
def _single_metric(name: str, unit: object, value: float, **_: object) -> Iterator[_Metrics]:
    here().world.totals[f"metric {name}"] += int(value)
    yield _Metrics()


_modules: dict[str, Any] = {}


def module_of(function: str) -> Any:
    """The module of a handler."""
    if function not in _modules:
        _modules[function] = _load(function)
    return _modules[function]


def handle(function: str, event: Any) -> Callable[[Any], Any]:
    """An invocation of a function, as a task's work."""
    handler = module_of(function).handler.__wrapped__

    def work(task: Any) -> Any:
        return handler(event, Invocation(task, function))

    return work


@contextmanager
def simulated() -> Iterator[None]:
    """Time, chance and threads of the product's modules come from the simulation meanwhile."""
    sleeping, chance = SimpleNamespace(sleep=_sleep), SimpleNamespace(uniform=_uniform)
    changes: dict[str, Any] = {
        "blockfold.adapters.backoff.time": sleeping,
        "blockfold.adapters.backoff.random": chance,
        "blockfold.adapters.dynamodb.blocks.ThreadPoolExecutor": _Serial,
        "blockfold.adapters.dynamodb.state.ThreadPoolExecutor": _Serial,
        "blockfold.application.lanes.ThreadPoolExecutor": _Serial,
        "blockfold.application.ship.ThreadPoolExecutor": _Serial,
        "blockfold.application.side_by_side.ThreadPoolExecutor": _Serial,
        "blockfold.application.catch_up.CHUNK": CHUNK,
        "blockfold.application.catch_up.LOOK": 2,
        "blockfold.application.catch_up.NOTE": 2,
        "blockfold.application.prune_blocks.NEWEST_STAY": 2,
        "blockfold.application.rivals.LOOK_FROM": 0.04,
        "blockfold.application.prune_blocks.MARKED_AT_ONCE": 2,
        "blockfold.application.prune.NEWEST_STAY": 2,
    }
    with ExitStack() as stack:
        for name, value in changes.items():
            stack.enter_context(patch(name, value))
        yield
