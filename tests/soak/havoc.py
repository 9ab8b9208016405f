"""What happens to the processes of a soak: killed, frozen, restarted."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from tests.soak.actors import Actor

BETWEEN_RESTARTS = 3
"""Kills and freezes between two restarts, at least."""

PATIENCE = 10
"""So many pauses at most it waits for a message to be done before it disturbs again: on a busy
machine functions take long to come up, and would never live to do anything."""


@dataclass
class Havoc(Actor):
    """Kills and freezes processes of Lambda functions, and restarts the emulator."""

    pause: float = 2.0
    frozen_seconds: float = 8.0
    first_restart: float = 30.0
    restart_seconds: float = 60.0
    _next_restart: float = field(init=False)
    _done: int = 0
    _since: float = 0.0
    _disturbed: int = 0
    _kills: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._next_restart = time.monotonic() + self.first_restart

    def step(self) -> None:
        self.stopping.wait(self.random.uniform(0.2, 1.8) * self.pause)
        if self.stopping.is_set():
            return
        now = time.monotonic()
        if self.ledger.done <= self._done and now < self._since + PATIENCE * self.pause:
            return
        self._done, self._since = self.ledger.done, now
        if self._disturbed >= BETWEEN_RESTARTS and now >= self._next_restart:
            self.ledger.tell("restart")
            self.world.restart()
            self.ledger.count("restarts of the emulator")
            self._next_restart = time.monotonic() + self.restart_seconds
            self._disturbed = 0
            return
        workers = self.world.workers()
        if not workers:
            return
        weights = [3 if each.function == "Executor" else 1 for each in workers]
        (worker,) = self.random.choices(workers, weights)
        self._disturbed += 1
        self._kills = not self._kills
        if self._kills:
            self.ledger.tell(f"kill {worker}")
            self.world.kill(worker)
            self.ledger.count(f"{worker.function} killed")
            self.ledger.count("processes killed")
        else:
            seconds = self.random.uniform(0.1, 1.0) * self.frozen_seconds
            self.ledger.tell(f"freeze {worker} for {seconds:.1f} s")
            self.world.freeze(worker)
            threading.Timer(seconds, self.world.thaw, (worker,)).start()
            self.ledger.count(f"{worker.function} frozen")
            self.ledger.count("processes frozen")
