"""Two executors on the same stores, taking turns at each call to a port.

Each executor runs in a thread of its own, but only one moves at a time: who is next is a list of
choices, so that Hypothesis finds, shrinks and repeats the interleavings that matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Turns:
    """Lets threads go on one at a time, in the order of the choices, over and over."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._go: list[threading.Semaphore] = []
        self._stopped: list[threading.Semaphore] = []
        self._ended: list[bool] = []
        self._errors: list[BaseException] = []

    def shared(self, port: Any, player: int) -> Any:
        """The port as that player sees it: each call waits for the player's turn."""
        return _Shared(port, lambda: self._wait(player))

    def play(self, players: Sequence[Callable[[], None]]) -> None:
        """Run all players to their end; raises what any of them raised."""
        for player in players:
            self._go.append(threading.Semaphore(0))
            self._stopped.append(threading.Semaphore(0))
            self._ended.append(False)
            threading.Thread(
                target=self._run, args=(len(self._go) - 1, player), daemon=True
            ).start()
        for stopped in self._stopped:
            stopped.acquire()
        for number in self._order():
            self._go[number].release()
            self._stopped[number].acquire()
        if self._errors:
            raise self._errors[0]

    def _order(self) -> Iterator[int]:
        step = 0
        while running := [player for player, ended in enumerate(self._ended) if not ended]:
            choice = self._choices[step % len(self._choices)] if self._choices else step
            yield running[choice % len(running)]
            step += 1

    def _run(self, number: int, player: Callable[[], None]) -> None:
        try:
            self._wait(number)
            player()
        except BaseException as error:  # noqa: BLE001 - raised again by `play`
            self._errors.append(error)
        finally:
            self._ended[number] = True
            self._stopped[number].release()

    def _wait(self, number: int) -> None:
        self._stopped[number].release()
        self._go[number].acquire()


class _Shared:
    def __init__(self, port: Any, wait: Callable[[], None]) -> None:
        self._port = port
        self._wait = wait

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **options: Any) -> Any:
            self._wait()
            answer = method(*args, **options)
            return iter(list(answer)) if isinstance(answer, Iterator) else answer

        return call
