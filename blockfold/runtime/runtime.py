"""The machine as a plain object: start, write, look, travel, stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event, RLock, Thread
from time import monotonic
from types import TracebackType
from typing import Self, Unpack

from blockfold.adapters.system import SystemClock
from blockfold.application.push import check_machine_id
from blockfold.domain.apply import Guard, unguarded
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, Misconfigured, Refused, Unavailable
from blockfold.domain.limits import Limits
from blockfold.domain.machine import Machine
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import OFF, Schedule, Setting, set_count
from blockfold.recorders.memory import MemoryRecorder
from blockfold.recorders.protocol import Recorder
from blockfold.recorders.quiet import TimedClock
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.booting import boot
from blockfold.runtime.following import Following
from blockfold.runtime.frames import Frame
from blockfold.runtime.interrupts import Interrupts
from blockfold.runtime.looking import Looking, made, whole
from blockfold.runtime.memory_channel import MemoryChannel
from blockfold.runtime.options import ForkOptions
from blockfold.runtime.past import Past
from blockfold.runtime.ports import Channel, Closes, Reader, Writer
from blockfold.runtime.restoring import is_fork_of
from blockfold.runtime.session import Session
from blockfold.runtime.stores import logger
from blockfold.runtime.written import Outbox, Written, body_of

ONE_BY_ONE = Limits(actions=1)
"""Each action is a block by itself: so each can be undone, and frames are blocks."""

MOST = 100
"""Messages that are read at once."""

PATIENCE = 30.0
"""Seconds that `Runtime.write` waits for an action to stand in a block."""

DRAIN = 30.0
"""Seconds after which `Runtime.stop` reads no more, though others go on writing."""

LOOK = 0.2
"""Seconds between two looks at whether to stop."""


class Runtime(Looking):
    """A machine in this process, on the code that the Lambda functions run.

    Safe to use from several threads. What it needs to know, it takes from its recorder when it
    starts; what it must not forget, it gives to its recorder.

    Args:
        code: The user's class, or an object of it.
        machine: The machine's id; the recorder's, or the class's name in lower case, by default.
        channel: Reader and writer in one; a `MemoryChannel` by default.
        reader: Where messages come from, in place of a channel's.
        writer: Where `write` puts them, in place of a channel's.
        recorder: What is told of each dispatch; a `MemoryRecorder` by default.
        clock: Time.
        limits: When a block is full: `Limits()` cuts as the cloud does.
        guard: Bounds each reducer's time.
        count: The dumper's count; it does not start by itself.
        policy: The dumper's policy; likewise.
        start: Begin as a fork of this snapshot of another machine.
        patience: Seconds that `write` waits; then the action is on its way still.

    Raises:
        Misconfigured: The code is no machine; the id can be none, or is not the recorder's; the
            recorder is none; or the count can be none.
    """

    def __init__(
        self,
        code: Machine | type[Machine],
        machine: str | None = None,
        *,
        channel: Channel | None = None,
        reader: Reader | None = None,
        writer: Writer | None = None,
        recorder: Recorder | None = None,
        clock: TimedClock | None = None,
        limits: Limits = ONE_BY_ONE,
        guard: Guard = unguarded,
        count: int | None = None,
        policy: Policy | None = None,
        start: Snapshot | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._code = made(code)
        self._code.actions()
        if isinstance(recorder, type) or not isinstance(recorder, Recorder | None):
            raise Misconfigured(
                f"{recorder!r} is no recorder", hint='give an object: MemoryRecorder("grove")'
            )
        recorded = getattr(recorder, "machine", None)
        self.machine = check_machine_id(machine or recorded or type(self._code).__name__.lower())
        if recorded is not None and recorded != self.machine:
            raise Misconfigured(
                f"the recorder is of machine {recorded!r}, not of {self.machine!r}",
                hint="leave the id out, or give the recorder the same one",
            )
        self.clock: TimedClock = SystemClock() if clock is None else clock
        if recorder is None:
            recorder = MemoryRecorder(self.machine, clock=self.clock)
        self.recorder: Recorder = recorder
        if reader is None:
            reader = MemoryChannel() if channel is None else channel
        self._reader: Reader = reader
        chosen = next(each for each in (writer, channel, reader) if each is not None)
        self._outbox = Outbox(self.machine, chosen if isinstance(chosen, Writer) else None)
        self._limits = limits
        self._guard = guard
        if (reason := set_count(OFF, 0, count).reason) is not None:
            raise Misconfigured(f"the dumper of machine {self.machine!r}: {reason}")
        self._schedule = Schedule((Setting(1, running=False, count=count, policy=policy),))
        self._start = start
        self._patience = patience
        self._session: Session | None = None
        self._running = False
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._life = RLock()
        self._changed = Event()

    # -- life ------------------------------------------------------------------------------------

    def start(self, *, background: bool = False) -> Self:
        """Start from what the recorder has; see `booted`. Starting twice is no error.

        Args:
            background: Have a thread bring what others write into blocks.

        Raises:
            Corrupted: What the recorder has is damaged.
            Unavailable: It could not be read.
            Refused: The machine exists already and is no fork of the given snapshot.
        """
        with self._life:
            if not self._running:
                self._session = self._new_session()
                self._running = True
                self._stopping.clear()
            if background and not self._threads:
                thread = Thread(target=self._loop, name=f"blockfold {self.machine}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return self

    def stop(self) -> None:
        """Drain the channel, record, close. Stopping twice is no error.

        If others go on writing, it drains for `DRAIN` seconds; what is left comes with the next
        start, if the channel keeps it.

        What was seen can still be read; `start` goes on from what the recorder has.

        Raises:
            BlockfoldError: The first trouble on the way; it is stopped all the same.
        """
        with self._life:
            if not self._running or self._session is None:
                return
            self._stopping.set()
            while self._threads:
                self._threads.pop().join()
            self._running = False
            self._changed.set()
            try:
                self._session.end(MOST, DRAIN)
            finally:
                self._close()

    def _close(self) -> None:
        held: list[object] = [self._reader, self._outbox.writer, self.recorder]
        for each in {id(each): each for each in held}.values():
            if isinstance(each, Closes):
                each.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        """Whose it is, and how far it is."""
        if self._session is None:
            return f"<Runtime of {self.machine}: not started>"
        how = "running" if self._running else "stopped"
        return f"<Runtime of {self.machine}: {how}, at block {self._session.stores.head}>"

    @property
    def running(self) -> bool:
        """Whether it takes actions."""
        return self._running

    @property
    def in_background(self) -> bool:
        """Whether a thread brings what others write into blocks."""
        return bool(self._threads)

    # -- actions -----------------------------------------------------------------------------------

    def write(
        self,
        action: str | Mapping[str, object],
        /,
        **args: object,
    ) -> Written:
        """Write an action, and wait until it stands in a block.

        Args:
            action: Its type, with its arguments as keyword arguments; or the whole of it as
                ``{"type": …, "args": …, "id": …}``.
            **args: Its arguments.

        Returns:
            What became of it. It is ``sent`` still if nobody read it in time.

        Raises:
            LimitExceeded: An argument is no JSON; nothing was written.
            Refused: The machine does not run.
            BlockfoldError: The recorder or the channel failed; what is said tells whether the
                action stands in a block.
        """
        body = body_of(action, args)
        written = self._send(body)
        written.wait(self._patience)
        return written

    def write_many(self, actions: Sequence[Mapping[str, object]]) -> list[Written]:
        """Write several actions, each as a message of its own, and wait for all. See `write`."""
        bodies = [body_of(action, {}) for action in actions]
        written = [self._send(body) for body in bodies]
        deadline = monotonic() + self._patience
        for each in written:
            each.wait(max(0.0, deadline - monotonic()))
        return written

    def poll(self, wait: float = 0.0) -> int:
        """Bring what others wrote into blocks, one read of it; how many messages were read.

        Args:
            wait: Seconds to wait for the first.

        Raises:
            Refused: The machine does not run.
            BlockfoldError: Reader, recorder or stores failed; what was read comes again.
        """
        return self._turn(wait)

    def run(self, until: Event | float) -> None:
        """Bring what others write into blocks.

        Args:
            until: An event that ends it, or seconds.
        """
        deadline = None if isinstance(until, Event) else monotonic() + until
        while self._running and not (isinstance(until, Event) and until.is_set()):
            wait = LOOK if deadline is None else min(LOOK, deadline - monotonic())
            if wait <= 0:
                return
            self._poll_until_stopped(wait)

    def _send(self, body: str) -> Written:
        if not self._running:
            raise self._refusal()
        return self._outbox.send(body, self._wait)

    def _wait(self, written: Written, seconds: float) -> None:
        """Wait for an action; by turns of our own if no thread makes them."""
        deadline = monotonic() + seconds
        while written.status == "sent" and self._running:
            left = deadline - monotonic()
            if self._threads:
                written.wait_done(max(0.0, left))
                return
            try:
                self._turn(max(0.0, min(LOOK, left)), lambda: written.status == "done")
            except BlockfoldError as error:
                if written.status == "sent":
                    raise _not_executed(written, error) from error
            if left <= 0:
                return

    def _turn(self, wait: float, needless: Callable[[], bool] | None = None) -> int:
        try:
            return self._live.turn(MOST, wait, needless)
        finally:
            self._changed.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.poll(LOOK)
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
                logger.warning("machine %s is in trouble: %s", self.machine, error)
                self._stopping.wait(1.0)

    # -- going back -----------------------------------------------------------------------------

    def undo(self) -> Block:
        """Take back the newest step, by a restore block; see `blockfold.runtime.undo`.

        The log is read once to know the steps, when this is first called.

        Raises:
            Refused: There is nothing to undo.
        """
        return self._live.undo()

    def redo(self) -> Block:
        """Take back the newest undo.

        Raises:
            Refused: There is nothing to redo.
        """
        return self._live.redo()

    def restore(self, block: int) -> Block:
        """Bring the state after a block back, by a restore block; 0 is the empty state.

        Raises:
            NotFound: There is no such block.
        """
        whole("block", block)
        return self._live.restore(block)

    def fork(
        self, machine: str, block: int | None = None, **options: Unpack[ForkOptions]
    ) -> Runtime:
        """Another machine of the same class that starts from the state here; it is started.

        Args:
            machine: Its id.
            block: The block to start from; the head by default.
            **options: Its own channel, recorder, clock …: see `Runtime`. The clock and the limits
                are this one's by default.

        Raises:
            NotFound: There is no such block.
            Refused: The id is this machine's, or its recorder knows another machine of that id.
        """
        if self._running:
            self._live.flush()  # this machine's objects come first where both share a store
        own: ForkOptions = {"clock": self.clock, "limits": self._limits, "guard": self._guard}
        chosen: ForkOptions = {**own, **options}
        fork = Runtime(self._code, machine, start=self.snapshot(block), **chosen)
        return fork.start()

    def follow(self, after: int | None = None) -> Iterator[Frame]:
        """Frames as they come, until the machine is stopped.

        Without a thread in the background, whoever follows brings actions into blocks.

        Args:
            after: The block after which to begin; the head if None.
        """
        following = self.following(after)
        while following.more or following.goes_on:
            self._changed.clear()
            yield from following.take()
            if following.more or not following.goes_on:
                continue
            if self.in_background:
                self._changed.wait(LOOK)
            else:
                following.bring(LOOK)

    def following(self, after: int | None = None) -> Following:
        """What `follow` takes its frames from; for callers that wait otherwise."""
        session = self._begun

        def goes_on() -> bool:
            return self._running and session is self._session

        return Following(session, after, goes_on, self._poll_until_stopped)

    # -- inside ------------------------------------------------------------------------------

    def _poll_until_stopped(self, wait: float) -> None:
        """Poll; that somebody else stops the machine meanwhile is no error."""
        try:
            self.poll(wait)
        except Refused:
            if self._running:
                raise

    def _new_session(self) -> Session:
        stores, booted = boot(self.machine, self.recorder, self.clock, self._schedule)
        start = self._start
        if start is not None and stores.head:
            if booted.first or not is_fork_of(stores.log.get(self.machine, 1), start):
                raise Refused(
                    f"machine {self.machine!r} exists already: its recorder knows "
                    f"{stores.head} blocks",
                    hint="leave out start= to go on with it, or take another id",
                )
            start = None
        interrupts = Interrupts(self._guard)
        session = Session(
            stores=stores,
            booted=booted,
            past=Past(stores, self._code, booted.first),
            executor=stores.executor(self._code, self._limits, interrupts),
            interrupts=interrupts,
            reader=self._reader,
            recorder=self.recorder,
            clock=self.clock,
            resolve=self._outbox.resolve,
        )
        session.begin(start)
        return session

    @property
    def _begun(self) -> Session:
        """The last session, running or not."""
        if self._session is None:
            raise self._refusal()
        return self._session

    @property
    def _live(self) -> Session:
        """The running session."""
        if not self._running:
            raise self._refusal()
        return self._begun

    def _refusal(self) -> Refused:
        verb = "was stopped" if self._session is not None else "was not started"
        return Refused(f"machine {self.machine!r} {verb}", hint="call start(), or use it in with")


def _not_executed(written: Written, error: BlockfoldError) -> Unavailable:
    """What trouble on the way to a block means for whoever wrote an action."""
    return Unavailable(
        f"the action was written as message {written.message}, and is not in a block yet: {error}",
        hint="do not write it again: wait(seconds) goes on, or poll()",
    )
