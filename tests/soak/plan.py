"""How much of what a soak is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.soak.proxy import Fault


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what.

    Attributes:
        seconds: How long faults last.
        seed: Where all chances come from.
        machines: Machines at the beginning; forks come besides.
        producers: Who sends.
        sources: Event sources beside the emulator's own.
        operators: Who reads, restores, dumps and prunes.
        pause: Mean time between two messages of a producer, seconds.
        backlog: How many messages may wait before producers do.
        kill_seconds: Mean time between two kills or freezes.
        freeze_seconds: The longest that a process is frozen.
        restart_seconds: Time from one restart of the emulator to the next.
    """

    seconds: float
    seed: int
    machines: int = 4
    producers: int = 2
    sources: int = 2
    operators: int = 3
    pause: float = 0.1
    backlog: int = 100
    kill_seconds: float = 3.0
    freeze_seconds: float = 10.0
    restart_seconds: float = 60.0


@dataclass
class Result:
    """What came of a soak."""

    plan: Plan
    seconds: float = 0.0
    actions: int = 0
    messages: int = 0
    blocks: int = 0
    machines: int = 0
    snapshots: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    faults: dict[Fault, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        """The totals, the number of violations last."""
        yield f"seed {self.plan.seed}: {self.seconds:.0f} s under faults"
        yield (
            f"{self.actions:,} actions in {self.messages:,} messages acknowledged, "
            f"{self.actions / max(self.seconds, 1):.0f} a second; {self.blocks:,} blocks of "
            f"{self.machines} machines, {self.snapshots:,} snapshots kept"
        )
        yield "requests: " + ", ".join(
            f"{service or 'other'} {count:,}" for service, count in sorted(self.requests.items())
        )
        yield f"faults: {sum(self.faults.values()):,}"
        for fault in Fault:
            yield f"  {fault}: {self.faults.get(fault, 0):,}"
        for name, count in sorted(self.counts.items()):
            yield f"{name}: {count:,}"
        yield from (f"VIOLATION {each}" for each in self.violations)
        yield f"violations: {len(self.violations)}"
