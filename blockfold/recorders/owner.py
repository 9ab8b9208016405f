"""Whose objects: a recorder writes below a machine's prefix only if that is a recorder's.

The mark ``machines/<id>/recorder.json`` says so, and is the first object there. Where others stand
without it, a stack keeps its machine, and a second writer would break that machine's history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from blockfold.domain.canonical import encode_raw
from blockfold.domain.errors import Misconfigured, Refused
from blockfold.domain.keys import machine_prefix, pinned_prefix, recorder_key, snapshots_prefix
from blockfold.ports import ObjectStore, Stored

FORMAT = 1
"""Version of the mark."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What the mark says.

    Attributes:
        machine: The machine's id.
        format: `FORMAT`.
    """

    machine: str
    format: int = FORMAT


class Owner:
    """Finds out whether a machine's prefix is a recorder's, and makes it one.

    Args:
        machine: The machine's id.
        objects: Where its objects stand.
    """

    def __init__(self, machine: str, objects: ObjectStore) -> None:
        self._machine = machine
        self._objects = objects
        self._key = recorder_key(machine)
        self._claimed = False

    @property
    def marked(self) -> bool:
        """Whether a recorder wrote there."""
        return self._objects.stat(self._key) is not None

    def check(self) -> bool:
        """Whether the mark is there; reads only.

        Raises:
            Refused: It is not, and other objects are; or it was there and is gone.
        """
        data = self._objects.get(self._key)
        if data is not None:
            self._check_mark(data)
            return True
        if self._claimed:
            raise Refused(
                f"machine {self._machine!r} was deleted while it was recorded: {self._key} is gone",
                hint="record under another id",
            )
        if any(self._objects.list(machine_prefix(self._machine))):
            raise Refused(
                f"machine {self._machine!r} is kept there by a stack: no recorder wrote its "
                "objects",
                hint="record under another id, and start that from a snapshot of this one",
            )
        return False

    def claim(self) -> None:
        """Make sure that the mark is there.

        Raises:
            Refused: See `check`.
            Misconfigured: The store overwrites what it should not.
        """
        if not self.check():
            mark = encode_raw(Mark(machine=self._machine)) + b"\n"
            if self._objects.put_new(self._key, mark) and self._objects.put_new(self._key, mark):
                raise Misconfigured(
                    f"the store of {self._key} overwrites objects that it was told to keep",
                    hint="it must know conditional writes (If-None-Match): use another",
                )
        self._claimed = True

    def _check_mark(self, data: bytes) -> None:
        """Hold the mark against the machine: a file system may take two ids for one."""
        try:
            mark = msgspec.json.decode(data, type=Mark)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Refused(
                f"{self._key} says not whose objects these are: {error}",
                hint="look at it; record under another id",
            ) from error
        if mark != Mark(machine=self._machine):
            raise Refused(
                f"{self._key} is of machine {mark.machine!r} and format {mark.format}",
                hint="record under another id",
            )


class OwnedObjects:
    """An `ObjectStore` in which a machine's objects are written by its recorder only.

    Args:
        machine: The machine's id.
        objects: Where all objects stand.
        owner: Whose they are.
        before_manifest: Called before a snapshot of the machine is stored or pinned, with its
            number: its block must be stored before it.
    """

    def __init__(
        self,
        machine: str,
        objects: ObjectStore,
        owner: Owner,
        before_manifest: Callable[[int], None],
    ) -> None:
        self._objects = objects
        self._owner = owner
        self._before_manifest = before_manifest
        self._mine = machine_prefix(machine)
        self._manifests = (snapshots_prefix(machine), pinned_prefix(machine))

    def put_new(self, key: str, data: bytes) -> bool:
        """See `ObjectStore.put_new`.

        Raises:
            Refused: The machine is not the recorder's, or its block is not there.
        """
        self._prepare(key)
        return self._objects.put_new(key, data)

    def get(self, key: str) -> bytes | None:
        """See `ObjectStore.get`."""
        return self._objects.get(key)

    def stat(self, key: str) -> Stored | None:
        """See `ObjectStore.stat`."""
        return self._objects.stat(key)

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `ObjectStore.list`."""
        return self._objects.list(prefix)

    def folders(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.folders`."""
        return self._objects.folders(prefix)

    def replace(self, key: str, data: bytes) -> None:
        """See `ObjectStore.replace` and `put_new`."""
        self._prepare(key)
        self._objects.replace(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        """See `ObjectStore.delete` and `put_new`."""
        chosen = list(keys)
        if any(key.startswith(self._mine) for key in chosen):
            self._owner.claim()
        self._objects.delete(chosen)

    def _prepare(self, key: str) -> None:
        if not key.startswith(self._mine):
            return
        self._owner.claim()
        if key.startswith(self._manifests):
            number = key.rpartition("/")[2].partition(".")[0].partition("-")[0]
            if number.isdigit() and int(number):  # a block 0 is a state from outside
                self._before_manifest(int(number))
