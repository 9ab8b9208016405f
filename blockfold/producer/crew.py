"""The threads that send: at most a few, none of them busy waiting, and none that is not needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Condition, RLock, Thread

from blockfold.domain.errors import BlockfoldError, Unavailable
from blockfold.ports import Receipt
from blockfold.producer.courier import Answer, Queue, deliver
from blockfold.producer.outbox import Outbox
from blockfold.producer.parcel import Parcel

logger = logging.getLogger("blockfold.producer")


class Crew:
    """Sends what an outbox holds, by threads that are started when there is work.

    One idle thread leads: it waits until something is ready. Before it sends that, it lets another
    lead. All are daemons: the end of the process is no business of theirs.

    Args:
        outbox: What to send; nobody may touch it without `lock`.
        queue: Where to.
        most: How many threads at most.
        before: Called with parcels before they are sent, outside the lock.
        told: Called with answers before the outbox has them, outside the lock.
        after: Called when the outbox has them, outside the lock.

    Attributes:
        lock: Guards the outbox.
        changed: Notified when the outbox has answers; shares the lock.
    """

    def __init__(
        self,
        outbox: Outbox,
        queue: Queue,
        most: int,
        before: Callable[[Sequence[Parcel]], None],
        told: Callable[[Sequence[Answer]], None],
        after: Callable[[], None],
    ) -> None:
        self.lock = RLock()
        self.changed = Condition(self.lock)
        self._outbox = outbox
        self._queue = queue
        self._most = most
        self._before = before
        self._told = told
        self._after = after
        self._lead = Condition(self.lock)
        self._follow = Condition(self.lock)
        self._leads = False
        self._wakes: float | None = None
        self._idle = 0
        self._threads = 0
        self._stopped = False

    @property
    def missing(self) -> bool:
        """Whether nobody is there to send: none was called, or the system let none be started."""
        return not self._threads

    def call(self) -> None:
        """See to it that somebody knows when the outbox is due. The caller holds the lock.

        If the system lets no thread be started, those that run must do; if there is none, it is
        up to the next call.
        """
        due = self._outbox.due
        if due is None or self._stopped:
            return
        if self._leads:
            if self._wakes is None or due < self._wakes:
                self._wakes = due
                self._lead.notify()
        elif self._idle:
            self._follow.notify()
        elif self._threads < self._most:
            self._start()

    def stop(self) -> None:
        """Send nothing from now on; requests under way go on. The caller holds the lock."""
        self._stopped = True
        self._lead.notify_all()
        self._follow.notify_all()
        self.changed.notify_all()

    def _start(self) -> None:
        self._threads += 1
        thread = Thread(target=self._work, name="blockfold-producer", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # too many of them, or the interpreter is on its way out
            self._threads -= 1

    def _work(self) -> None:
        with self.lock:
            try:
                while taken := self._next():
                    self.call()
                    self.lock.release()
                    try:
                        self._send(taken)
                    finally:
                        self.lock.acquire()
            finally:
                self._threads -= 1
                self._follow.notify()
                self.changed.notify_all()

    def _next(self) -> list[Parcel]:
        """What to send, when it is this thread's turn to lead; nothing if the crew was stopped."""
        while self._leads and not self._stopped:
            self._idle += 1
            self._follow.wait()
            self._idle -= 1
        if self._stopped:
            return []
        self._leads = True
        try:
            return self._wait_for_work()
        finally:
            self._leads = False

    def _wait_for_work(self) -> list[Parcel]:
        """What is ready, as soon as something is; nothing if the crew was stopped."""
        while not self._stopped:
            now = time.monotonic()
            if taken := self._outbox.take(now):
                return taken
            self._wakes = self._outbox.due
            self._lead.wait(None if self._wakes is None else max(0.0, self._wakes - now))
        return []

    def _send(self, taken: list[Parcel]) -> None:
        """Send parcels. Whatever is raised in it, they go back, and the thread goes on."""
        left = dict.fromkeys(taken)
        try:
            self._before(taken)
            for answers in deliver(self._queue, taken):
                self._told(answers)
                self._settle(answers)
                for parcel, _ in answers:
                    del left[parcel]
                self._after()
        except BaseException as defect:  # the thread is nobody's to end: parcels would be lost
            logger.exception("sending failed in a way that nobody foresaw")
            kind = BlockfoldError if isinstance(defect, Exception) else Unavailable
            error = kind(f"could not send: {defect!r}", hint="see the log for more")
            self._settle([(parcel, error) for parcel in left])

    def _settle(self, answers: Sequence[Answer]) -> None:
        with self.lock:
            settle(self._outbox, answers, time.monotonic())
            self.changed.notify_all()
            self.call()


def settle(outbox: Outbox, answers: Sequence[Answer], now: float) -> None:
    """Put the answers to one request into the outbox."""
    outbox.requests += 1
    for parcel, answer in answers:
        if isinstance(answer, Receipt):
            outbox.acknowledge(parcel, answer)
        else:
            outbox.fail(parcel, answer, now)
