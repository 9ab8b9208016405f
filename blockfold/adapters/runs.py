"""Run files: sorted, compressed lines, written and read as streams, named by their content.

The name has the half-day as well, so a run is found again only while it is young. What garbage
collection deletes is older than a day: nobody counts on it any more, and its name never comes
again. (`blockfold.application.collect` says why that is enough.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from blockfold.adapters.packed_lines import LinePacker, unpacked_lines
from blockfold.adapters.system import SystemClock
from blockfold.domain.canonical import Canonical, encode_raw
from blockfold.domain.errors import Corrupted
from blockfold.domain.keys import is_run_key, run_key
from blockfold.domain.manifest import Run, from_lines, to_line
from blockfold.ports import ObjectStore

PACKED_BYTES = 3 * 1024 * 1024
"""Compressed bytes after which a file is closed: what a point read fetches at most of one."""

UNPACKED_BYTES = 16 * 1024 * 1024
"""Uncompressed bytes after which a file is closed."""

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""What a file may unpack to; more is taken for damage."""

MAX_LINE_BYTES = 512 * 1024
"""What a line may have: a value of 350 KB, a key of 1 KB with every character escaped."""

SMALL_ROWS = 20_000
"""Rows up to which a generation is compressed at `SMALL_LEVEL`."""

SMALL_LEVEL = 15
"""Saves a sixth over `LARGE_LEVEL` and takes 35 ms for 1,000 rows."""

LARGE_LEVEL = 6
"""Compresses 100 MB a second."""

HALF_DAY = 12 * 60 * 60 * 1000
"""Milliseconds in which equal runs have the same name: what two dumps of one block at once, or a
dump and its repetition, need to find each other's runs."""

system_time = SystemClock().now
"""Milliseconds since 1970 UTC."""

Entry = tuple[str, Canonical | None]
"""A key and its value, or None for deleted."""


class RunFiles:
    """Writes and reads run files.

    Args:
        objects: Where they stand.
        now: Tells the time, milliseconds since 1970 UTC.
        part: Uncompressed bytes after which a file is closed.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        now: Callable[[], int] = system_time,
        part: int = UNPACKED_BYTES,
    ) -> None:
        self._objects = objects
        self._now = now
        self._part = part

    def write(
        self, machine: str, entries: Iterable[Entry], generation: int, rows: int
    ) -> Iterator[Run]:
        """Store entries, in key order, as the files of one generation; each when it is full.

        Args:
            machine: Whose files they are.
            entries: The entries.
            generation: The generation's number.
            rows: How many entries there are, at most.
        """
        level = SMALL_LEVEL if rows <= SMALL_ROWS else LARGE_LEVEL
        file = _OpenFile(level)
        for entry in entries:
            file.add_entry(entry)
            if file.unpacked >= self._part or file.packed >= PACKED_BYTES:
                yield self._store(machine, file, generation)
                file = _OpenFile(level)
        if file.rows:
            yield self._store(machine, file, generation)

    def read(self, run: Run, owner: str) -> Iterator[Entry]:
        """The entries of a file, in key order.

        Args:
            run: What the manifest says of it.
            owner: The manifest's object key, for errors.

        Raises:
            Corrupted: It is missing, damaged, or not what the manifest says.
        """
        packed = self._fetch(run, owner)
        rows, first, last = 0, "", ""
        name = _name(run, owner)
        for entry in from_lines(_lines(name, packed), name):
            first = first if rows else entry[0]
            last = entry[0]
            rows += 1
            yield entry
        if (rows, first, last) != (run.rows, run.first, run.last):
            raise _differs(run, owner)

    def find(self, run: Run, owner: str, key: str) -> Entry | None:
        """The entry of one key in a file, or None if the file has none.

        Raises:
            Corrupted: As `read`.
        """
        packed = self._fetch(run, owner)
        start = b'{"key":' + encode_raw(key) + b","
        name = _name(run, owner)
        for line in _lines(name, packed):
            if line.startswith(start):
                return next(from_lines([line], name))
        return None

    def _store(self, machine: str, file: _OpenFile, generation: int) -> Run:
        packed = file.close()
        name = sha256(packed).hexdigest()
        run = Run(
            key=run_key(machine, name, self._now() // HALF_DAY),
            sha256=name,
            rows=file.rows,
            bytes=len(packed),
            first=file.first,
            last=file.last,
            generation=generation,
        )
        if not self._objects.put_new(run.key, packed) and self._objects.get(run.key) != packed:
            raise Corrupted(
                f"the run {run.key} is damaged: it does not have the content that it is named by",
                hint="delete that object, then dump again",
            )
        return run

    def _fetch(self, run: Run, owner: str) -> bytes:
        packed = self._objects.get(run.key)
        if packed is None:
            raise Corrupted(f"{_name(run, owner)} is missing")
        if sha256(packed).hexdigest() != run.sha256 or not is_run_key(run.key, run.sha256):
            raise Corrupted(f"{_name(run, owner)} is not what its hash says: it was changed")
        if len(packed) != run.bytes:
            raise _differs(run, owner)
        return packed


class _OpenFile(LinePacker):
    """A file that is being filled."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.rows = 0
        self.first = ""
        self.last = ""

    def add_entry(self, entry: Entry) -> None:
        self.add(to_line(*entry))
        self.first = self.first if self.rows else entry[0]
        self.last = entry[0]
        self.rows += 1


def _name(run: Run, owner: str) -> str:
    return f"the run {run.key} of {owner}"


def _lines(name: str, packed: bytes) -> Iterator[bytes]:
    """The lines of a file, unpacked as they are asked for."""
    return unpacked_lines(packed, name, longest=MAX_LINE_BYTES, most=MAX_UNPACKED_BYTES)


def _differs(run: Run, owner: str) -> Corrupted:
    return Corrupted(f"{_name(run, owner)} is not what that says of it")
