"""Looking at a machine: its state, its frames, its blocks, at the head and in the past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from blockfold.application.verify import Verification
from blockfold.domain.block import Block, Head
from blockfold.domain.errors import Misconfigured, NotFound
from blockfold.domain.machine import Machine
from blockfold.domain.point import AtTime, parse_time
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.booting import Booted
from blockfold.runtime.checking import verified
from blockfold.runtime.cursor import Cursor
from blockfold.runtime.dumper import RuntimeDumper
from blockfold.runtime.frames import Frame, Frames, frame_at
from blockfold.runtime.head_source import HeadSource
from blockfold.runtime.replay import Replayed, replayed
from blockfold.runtime.session import Session
from blockfold.runtime.view import StateView


class Looking:
    """What can be read of a machine that was started, whether it still runs or not.

    Attributes:
        machine: The machine's id.
    """

    machine: str
    _code: Machine

    @property
    def _begun(self) -> Session:
        """The last session, running or not."""
        raise NotImplementedError

    @property
    def booted(self) -> Booted:
        """What the last start started from."""
        return self._begun.booted

    @property
    def state(self) -> StateView:
        """The state at the head, read when it is looked at."""
        source = HeadSource(self._begun.stores)
        return StateView(source, lambda: self.head.keys)

    @property
    def head(self) -> Head:
        """The newest block, as the next one builds on it: number, hash, digest, time."""
        return self._begun.stores.reader().head(self.machine)

    @property
    def digest(self) -> str:
        """The digest of the state."""
        return self.head.digest

    @property
    def dumper(self) -> RuntimeDumper:
        """Decides when snapshots are made."""
        return self._begun.dumper

    # -- the past ----------------------------------------------------------------------------------

    @property
    def frames(self) -> Frames:
        """All frames: the state that the log begins with, then one for each action or restore."""
        return self._begun.frames

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def at(
        self,
        *,
        block: int | None = None,
        time: int | str | datetime | None = None,
        frame: int | None = None,
    ) -> Frame:
        """A frame of the past: exactly one way to name it.

        Args:
            block: The last frame of this block; 0 is the empty state before the first.
            time: Of the newest block at or before a time: milliseconds since 1970 UTC, RFC 3339,
                or a `datetime` with a time zone.
            frame: Its index.

        Raises:
            NotFound: There is no such block or frame, or nothing is so old.
            Misconfigured: Not exactly one is given, or it is of another type, or the time is none.
        """
        for name, number in (("block", block), ("frame", frame)):
            if number is not None:
                whole(name, number)
        if len([each for each in (block, time, frame) if each is not None]) != 1:
            raise Misconfigured("name exactly one of block, time and frame")
        session = self._begun
        if frame is not None:
            if not -len(self.frames) <= frame < len(self.frames):
                raise NotFound(
                    f"machine {self.machine!r} has no frame {frame}",
                    hint=f"its frames are 0 to {len(self.frames) - 1}",
                )
            return self.frames[frame]
        if time is not None:
            block = self._number_at(_milliseconds(time))
        assert block is not None, "one of them was given"
        return frame_at(session.past, block)

    def cursor(self) -> Cursor:
        """A place among the frames that moves; it begins at the head."""
        session = self._begun
        return Cursor(session.past, session.frames)

    def blocks(self, first: int | None = None, last: int | None = None) -> Iterator[Block]:
        """Blocks in order; from the oldest that is kept to the head by default.

        Raises:
            NotFound: One of them does not exist.
        """
        past = self._begun.past
        start = max(past.first, 1) if first is None else first
        if past.head == 0 and first is None and last is None:
            return iter(())
        for number in (start, past.head if last is None else last):
            past.block(number)
        return past.blocks(start, past.head if last is None else last)

    def snapshot(self, block: int | None = None) -> Snapshot:
        """The state after a block, the head by default, as a value that can be stored.

        Raises:
            NotFound: There is no such block.
            Refused: There is no block yet.
        """
        if block is not None:
            whole("block", block)
        past = self._begun.past
        return past.snapshot(past.head if block is None else block)

    def replay(self, code: Machine | type[Machine] | None = None) -> Replayed:
        """Execute the whole log again, with other code perhaps, and compare.

        Args:
            code: The reducers; this machine's by default.

        Returns:
            The first block that differs, and how.

        Raises:
            Misconfigured: The code is no machine.
        """
        other = self._code if code is None else made(code)
        return replayed(self._begun.past, other)

    def verify(self) -> Verification:
        """Prove that log, state and snapshots agree."""
        session = self._begun
        with session.lock:
            return verified(session.stores, session.booted)

    def _number_at(self, time: int) -> int:
        """The newest block at or before a time."""
        session = self._begun
        number = session.stores.reader().number_at(self.machine, AtTime(time))
        return session.past.check(number)


def made(code: Machine | type[Machine]) -> Machine:
    """An object of the user's class, or the object that was given.

    Raises:
        Misconfigured: It is neither.
    """
    machine = code() if isinstance(code, type) and issubclass(code, Machine) else code
    if not isinstance(machine, Machine):
        raise Misconfigured(
            f"{code!r} is no machine", hint="give a class, class Forest(Machine): …, or its object"
        )
    return machine


def whole(name: str, number: object) -> None:
    """Make sure that an argument is a whole number, before it is compared with others.

    Raises:
        Misconfigured: It is something else.
    """
    if isinstance(number, bool) or not isinstance(number, int):
        raise Misconfigured(f"{name} is a whole number, not {number!r}")


def _milliseconds(time: int | str | datetime) -> int:
    """Milliseconds since 1970 UTC.

    Raises:
        Misconfigured: It is no time, or has no time zone.
    """
    if isinstance(time, int):
        return time
    found = parse_time(time if isinstance(time, str) else time.isoformat())
    if found is None:
        raise Misconfigured(
            f"{time!r} is no time", hint="write 2026-01-31T12:00:00Z: with a time zone"
        )
    return found
