"""A machine that runs in this process: messages in, blocks out, the recorder told.

The order of one turn, and what happens if the process dies after each call:

==========================  ===================================================================
after                       the next process
==========================  ===================================================================
reading messages            gets them again
committing a block          the log was in memory: has neither block nor mark unless a recorder
                            stored them, and gets the messages again
telling the recorder        as above; a recorder that stored the block has stored its mark, by
                            which the messages are recognised
flushing the recorder       boots from it, and recognises the messages
acknowledging               has nothing to make up for
a restore block's append    as after committing; what was pinned for it is found or garbage
==========================  ===================================================================

A reader that consumes what it acknowledges is acknowledged after the flush only, so each of its
messages stands in exactly one recorded block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import RLock
from time import monotonic

from blockfold.application.execute import Executor
from blockfold.domain.action import Message
from blockfold.domain.block import Block
from blockfold.domain.errors import BlockfoldError, Refused, Unavailable
from blockfold.recorders.protocol import CreatesSnapshots, KeepsLog, Recorder
from blockfold.recorders.quiet import TimedClock
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.booting import Booted
from blockfold.runtime.dumper import RuntimeDumper
from blockfold.runtime.frames import Frame, Frames, frames_of
from blockfold.runtime.interrupts import Interrupts
from blockfold.runtime.past import Past
from blockfold.runtime.ports import Begins, Reader
from blockfold.runtime.restoring import fork, restore
from blockfold.runtime.stores import Stores, logger
from blockfold.runtime.undo import Steps
from blockfold.runtime.written import Written

NEVER = float("inf")

KEPT = 10_000
"""Blocks that stay in memory when a recorder keeps the log; up to twice as many for a while."""

Resolve = Callable[[Block], list[Written]]


class NotRecorded(Unavailable):
    """Actions stand in a block, but the recorder could not be told of it, or could not store it."""


class Session:
    """One run of a machine, from its start to its stop.

    Args:
        stores: Where the machine is kept.
        booted: What it was started from.
        past: Reads its frames.
        executor: What folds messages.
        interrupts: Its guard.
        reader: Where messages come from.
        recorder: What is told.
        clock: Time.
        resolve: Told each new block, before the recorder is; gives what waits for it.

    Attributes:
        lock: Held by whoever executes, restores, or records. Reading has a lock of its own, which
            is taken before.
        frames: All frames.
        dumper: The dumper.
    """

    def __init__(
        self,
        *,
        stores: Stores,
        booted: Booted,
        past: Past,
        executor: Executor,
        interrupts: Interrupts,
        reader: Reader,
        recorder: Recorder,
        clock: TimedClock,
        resolve: Resolve,
    ) -> None:
        self.stores = stores
        self.booted = booted
        self.past = past
        self.lock = RLock()
        self._reading = RLock()
        self._ended = False
        self.frames = Frames(past)
        self._executor = executor
        self._interrupts = interrupts
        self._reader = reader
        self._recorder = recorder
        self._resolve = resolve
        self._steps = Steps.since(booted.first)
        self._seen = self._oldest = stores.head
        self._untold: deque[Frame] = deque()
        self._held: list[Message] = []
        keep: Callable[[], object] | None = None
        if isinstance(recorder, CreatesSnapshots) and not isinstance(recorder, KeepsLog):
            keep = recorder.create_snapshot
        self.dumper = RuntimeDumper(stores, clock, self.flush, keep)
        self._clock = clock

    def begin(self, start: Snapshot | None) -> None:
        """Bring the table up to the log, tell the recorder, and start as a fork if asked to.

        Raises:
            Corrupted: What was recorded is damaged.
            Refused: The machine exists already and is no fork of ``start``.
        """
        machine = self.stores.machine
        with self.lock:
            if (error := self._executor.fold(machine, [], deadline=NEVER).error) is not None:
                raise error
            newest = self.stores.live.head(machine)
            self._warn()
            if isinstance(self._reader, Begins):
                self._reader.begin(newest.head.marks if newest else (), self._clock)
            self._recorder.after_dispatch(Frame(self.past, self.stores.head, 0, None))
            if start is not None:
                fork(self.stores, start)
                self._executor.forget(machine)
                self._after()
                self.flush()

    # -- turns -----------------------------------------------------------------------------------

    def turn(self, most: int, wait: float = 0.0, needless: Callable[[], bool] | None = None) -> int:
        """Bring the next messages into blocks; how many messages were read.

        Args:
            most: At most so many.
            wait: Seconds to wait for the first.
            needless: Asked when it is this turn's turn: whether another has done its work.

        Raises:
            BlockfoldError: The reader failed, or the recorder, which then was not told all: the
                blocks are committed all the same.
        """
        with self._reading:
            if self._ended:
                raise Refused(f"machine {self.stores.machine!r} was stopped")
            if needless is not None and needless():
                return 0
            messages = self._reader.read(most, wait)
            with self.lock:
                self._fold(messages)
            return len(messages)

    def _fold(self, messages: Sequence[Message]) -> None:
        if not messages:
            self._settle()
            return
        try:
            with self._interrupts.watching():
                folded = self._executor.fold(self.stores.machine, messages, deadline=NEVER)
        except BaseException:
            self._interrupts.taken()
            self._executor.forget(self.stores.machine)
            self._reader.release(messages)
            raise
        interrupted = self._interrupts.taken()
        self._held += [message for message in messages if message.id in folded.done]
        if folded.left:
            self._reader.release(folded.left)
        self._after()
        if folded.error is not None:
            raise folded.error
        if interrupted:
            raise KeyboardInterrupt

    def restore(self, number: int) -> Block:
        """Bring the state after a block back; the restore block. Durable if the recorder can.

        Raises:
            NotFound: There is no such block.
            Refused: There is nothing to go back from.
            NotRecorded: The restore block stands, and could not be stored.
        """
        with self.lock:
            self.past.check(number)
            self.flush()
            try:
                block = restore(self.stores, number).block
            finally:
                self._executor.forget(self.stores.machine)
                self._after()
            try:
                self.flush()
            except NotRecorded:
                raise
            except Exception as error:
                raise self._not_recorded(block.number, error, "the restore") from error
            return block

    def undo(self) -> Block:
        """Bring back the state before the newest step; see `blockfold.runtime.undo`.

        Raises:
            Refused: There is nothing to undo.
        """
        with self.lock:
            if (number := self._followed().before) is None:
                raise Refused(f"machine {self.stores.machine!r} has nothing to undo")
            return self.restore(number)

    def redo(self) -> Block:
        """Bring back the state that the last undo took away.

        Raises:
            Refused: There is nothing to redo.
        """
        with self.lock:
            if (number := self._followed().after) is None:
                raise Refused(
                    f"machine {self.stores.machine!r} has nothing to redo",
                    hint="an action after an undo is a new branch: restore a block by its number",
                )
            return self.restore(number)

    def flush(self) -> None:
        """Tell the recorder all, and have it store the log, if it keeps one."""
        with self.lock:
            self._tell()
            if isinstance(self._recorder, KeepsLog):
                self._recorder.flush()

    def end(self, most: int, patience: float) -> None:
        """Drain what the reader has, and have the recorder make a snapshot, if it can.

        Args:
            most: Messages that are read at once.
            patience: Seconds after which no more are read, if the reader still has some.

        Raises:
            BlockfoldError: The first trouble; all else was done.
        """
        trouble: list[Exception] = []

        def attempt(do: Callable[[], object]) -> bool:
            try:
                return bool(do())
            except Exception as error:  # noqa: BLE001 - raised below, when all else is done
                trouble.append(error)
                return False

        until = monotonic() + patience
        while attempt(lambda: self.turn(most)) and monotonic() < until:
            pass
        with self._reading, self.lock:
            self._ended = True
            self.dumper.close()
            if isinstance(self._recorder, CreatesSnapshots):
                attempt(self._recorder.create_snapshot)
            attempt(self._settle)
        if self.dumper.trouble is not None:
            trouble.append(self.dumper.trouble)
        if trouble:
            raise trouble[0]

    # -- inside ------------------------------------------------------------------------------

    def _warn(self) -> None:
        """Say so if what is taken from a queue is kept by nobody."""
        recorder = self._recorder
        lasting = getattr(recorder, "lasting", isinstance(recorder, CreatesSnapshots))
        if getattr(self._reader, "consumes", True) and not lasting:
            logger.warning(
                "machine %s deletes the messages that it has read, and %s keeps nothing beyond "
                "this process: give it a FileRecorder or S3Recorder",
                self.stores.machine, type(recorder).__name__,
            )  # fmt: skip

    def _after(self) -> None:
        """New blocks stand in the log: resolve, tell, dump, acknowledge."""
        blocks = list(self.stores.live.read(self.stores.machine, self._seen + 1))
        waiting: list[Written] = []
        for block in blocks:
            self._seen = block.number
            waiting += self._resolve(block)
            self._untold.extend(frames_of(self.past, block))
        trouble: NotRecorded | None = None
        try:
            trouble = self._recorded()
            self.dumper.after(blocks)
        finally:  # whoever waits learns of the block, whatever happens here
            for written in waiting:
                written.finish(trouble)
        self._let_go()
        if trouble is not None and not waiting:
            raise trouble

    def _recorded(self) -> NotRecorded | None:
        """Tell the recorder, then acknowledge; what kept the recorder from it."""
        trouble: NotRecorded | None = None
        for do in (self._tell, self._settle):
            try:
                do()
            except NotRecorded as error:
                trouble = trouble or error
            except BlockfoldError as error:
                logger.warning("messages were executed and not acknowledged yet: %s", error)
        return trouble

    def _let_go(self) -> None:
        """Keep only so many blocks in memory, if all are archived."""
        live = self.stores.live
        above = self.stores.head - KEPT
        if not isinstance(self._recorder, KeepsLog) or above < self._oldest + KEPT:
            return
        try:
            self._recorder.flush()
        except BlockfoldError as error:
            logger.warning("blocks are kept in memory: %s", error)
            return
        live.expire(self.stores.machine, 1, above, 0)
        live.pass_time(0)
        self._oldest = above

    def _tell(self) -> None:
        """Tell the recorder of frames, each once, in order."""
        while self._untold:
            frame = self._untold.popleft()
            try:
                self._recorder.after_dispatch(frame)
            except Exception as error:
                raise self._not_recorded(frame.number, error) from error
            if frame.last:
                self.dumper.told(frame.number)

    def _settle(self) -> None:
        """Acknowledge what is in blocks, once these are as durable as the recorder makes them."""
        if not self._held:
            return
        if getattr(self._reader, "consumes", True):
            try:
                if isinstance(self._recorder, KeepsLog):
                    self._recorder.flush()
                elif isinstance(self._recorder, CreatesSnapshots):
                    self._recorder.create_snapshot()
            except Exception as error:
                raise self._not_recorded(self._seen, error) from error
        self._reader.acknowledge(self._held)
        self._held = []

    def _not_recorded(self, number: int, error: Exception, what: str = "the action") -> NotRecorded:
        """What a recorder's trouble means for whoever wrote an action, or restored."""
        why = error if isinstance(error, BlockfoldError) else f"{type(error).__name__}: {error}"
        hint = "do not write it again: what is not stored yet is stored with the next action"
        if isinstance(error, Refused):  # for good: somebody else goes on with the machine
            hint = "it is lost with this process: start again, and write it again if it is missing"
        return NotRecorded(
            f"{what} stands in block {number} of machine {self.stores.machine!r}, but the "
            f"recorder failed: {why}",
            hint=hint,
        )

    def _followed(self) -> Steps:
        """The steps up to the head."""
        for block in self.past.blocks(self._steps.number + 1, self.stores.head):
            self._steps.follow(block)
        return self._steps
