"""Make damaged and missing snapshots again: from sound ones below them and the log.

Where a manifest can still be read, its sound runs stay named: forks may use them, and only pinned
manifests of this machine keep them. Other runs stand in it for the damaged ones. Where it cannot be
read, the snapshot is made from the nearest sound one below, at the cost of what changed since.

From the lowest block up, so that each can be built on those that were healed before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec import structs

from blockfold.application.history import Delta, Replica, delta_from, head_of, origin_manifest
from blockfold.application.import_state import CODE
from blockfold.application.inspect_snapshots import SnapshotEye
from blockfold.application.repaired import Repaired
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.errors import BlockfoldError, Corrupted, NotFound, Unavailable
from blockfold.domain.execute import seal
from blockfold.domain.keys import (
    is_run_key,
    manifest_key,
    pinned_key,
    pinned_prefix,
    retired_prefix,
    runs_prefix,
    snapshots_prefix,
)
from blockfold.domain.manifest import Manifest, Origin
from blockfold.ports import BlockLog, MachineRecord, ObjectStore, SnapshotStore

NO_LOG = "the log that it would be made from is not whole: see what is lost below it"
IMPORTED = "import that state again as another machine, or fork from a sound snapshot above"


@dataclass(slots=True)
class SnapshotRepair:
    """Heals manifests of one machine, and those of others that its blocks name.

    Attributes:
        log: The blocks, archived ones included.
        snapshots: The snapshots.
        objects: The bucket.
        record: What is kept of the machine.
        top: Its newest block's number.
        done: What was healed and lost.
        eye: Reads manifests and runs.
        sound: Keys of the manifests that were found or made whole.
    """

    log: BlockLog
    snapshots: SnapshotStore
    objects: ObjectStore
    record: MachineRecord
    top: int
    done: Repaired
    eye: SnapshotEye
    sound: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Heal snapshots and pinned copies, drop damaged retired ones, then damaged leftovers."""
        machine = self.record.machine
        worn = [key for key in self._keys(runs_prefix(machine)) if self._is_worn(key)]
        named = self._named()
        for number, key in sorted({*self._present(), *self._due(), *named}):
            self._heal(machine, number, key, named.get((number, key)))
        for key in list(self._keys(retired_prefix(machine))):
            self._retired(key)
        self._clear(worn)

    # -- which ---------------------------------------------------------------------------------

    def _keys(self, prefix: str) -> Iterator[str]:
        return (each.key for each in self.objects.list(prefix))

    def _present(self) -> Iterator[tuple[int, str]]:
        """The manifests that are there, by block."""
        machine = self.record.machine
        for number in self.snapshots.numbers(machine):
            yield number, manifest_key(machine, number)
        for key in self._keys(pinned_prefix(machine)):
            number_, _, _rest = key.rpartition("/")[2].partition("-")
            if number_.isdigit():
                yield int(number_), key

    def _due(self) -> Iterator[tuple[int, str]]:
        """Those that must be there."""
        machine, record = self.record.machine, self.record
        for number in record.schedule.due_between(record.thinned + 1, record.dumped):
            yield number, manifest_key(machine, number)

    def _named(self) -> dict[tuple[int, str], Block]:
        """Those of this machine that its own blocks name, and the blocks that name them."""
        found: dict[tuple[int, str], Block] = {}
        prefix = pinned_prefix(self.record.machine)
        try:
            for block in self.log.read(self.record.machine, 1):
                origin = block.body.origin
                if origin is None:
                    continue
                if origin.manifest.startswith(prefix):
                    found[origin.number, origin.manifest] = block
                elif not self._is_sound(origin.manifest):
                    self._heal(origin.machine, origin.number, origin.manifest, block)
        except Corrupted:
            return found  # what of the log is lost was told before
        return found

    # -- healing -------------------------------------------------------------------------------

    def _heal(self, machine: str, number: int, key: str, by: Block | None = None) -> None:
        """Make sure that a manifest is whole; told as lost if that cannot be."""
        if self._is_sound(key):
            return
        try:
            how = self._healed(machine, number, key, by)
            self.eye.whole(self.eye.manifest(key))
        except Unavailable:
            raise
        except BlockfoldError as error:
            imported = by is not None and number == 0
            self.done.lose(key, error.message, IMPORTED if imported else NO_LOG)
            return
        self.sound.add(key)
        self.done.heal(key, how)

    def _is_sound(self, key: str) -> bool:
        if key in self.sound:
            return True
        try:
            self.eye.whole(self.eye.manifest(key))
        except Corrupted:
            return False
        self.sound.add(key)
        return True

    def _healed(self, machine: str, number: int, key: str, by: Block | None) -> str:
        """Write a manifest again; how it was done.

        Raises:
            BlockfoldError: It cannot be.
        """
        is_pinned = key.startswith(pinned_prefix(machine))
        if number == 0:
            self._import(by)
            return "made again from the snapshot of the import"
        block = self.log.get(machine, number)
        if block is None:
            raise NotFound(f"there is no block {number} of machine {machine!r}")
        if is_pinned and key != pinned_key(machine, number, block.hash):
            raise Corrupted(f"{key} is of another block {number} than the log's")
        mended = self._mended(block, key)
        if mended is not None:
            self._put(mended, is_pinned=is_pinned)
            return "its damaged runs were written again from the log"
        whole = manifest_key(machine, number)
        if is_pinned and self._is_sound(whole):
            self.snapshots.pin(self.snapshots.open(whole), anew=True)
            return "copied from the snapshot"
        made = self._made(block)
        if is_pinned:
            self.snapshots.pin(made, anew=True)
        return "made again from the log"

    def _put(self, manifest: Manifest, *, is_pinned: bool) -> None:
        if is_pinned:
            self.snapshots.pin(manifest, anew=True)
        else:
            self.snapshots.put(manifest)

    def _mended(self, block: Block, key: str) -> Manifest | None:
        """The manifest with other runs for its damaged ones; None if it cannot be read."""
        try:
            manifest = self.eye.manifest(key)
        except Corrupted:
            return None
        damaged = self.eye.damaged(manifest, key)
        replica = self._state(block)
        try:
            mended = self.snapshots.mend(manifest, damaged, list(replica.sorted_entries()))
            self.eye.whole(mended)
        except Corrupted:
            return None  # it names sound runs of another state
        for name in sorted({run.key for run in damaged} & {run.key for run in mended.runs}):
            self.done.heal(name, "written again from the log")
        return mended

    def _made(self, block: Block) -> Manifest:
        """The snapshot of a block, made from what is sound below it."""
        base = self._base(block)
        if base is not None:
            delta = delta_from(base, self.snapshots)
            self._forward(delta, block.number)
            changes = [(each, delta.changes[each]) for each in sorted(delta.changes)]
            try:
                made = self.snapshots.save(block, changes, delta.base, anew=True)
                self.eye.whole(made)
            except Corrupted:
                pass  # all of it again, then
            else:
                return made
        entries = list(self._state(block).sorted_entries())
        return self.snapshots.save(block, entries, anew=True)

    def _state(self, block: Block) -> Replica:
        """The whole state after a block, from what is sound below it."""
        base = self._base(block)
        if base is None:
            replica = Replica(Head(machine=block.machine), {}, self.snapshots)
        else:
            entries = dict(self.snapshots.entries(base))
            replica = Replica(head_of(base), entries, self.snapshots)
        self._forward(replica, block.number)
        return replica

    def _base(self, block: Block) -> Manifest | None:
        """The nearest sound snapshot below a block."""
        for number in reversed(self.snapshots.numbers(block.machine)):
            key = manifest_key(block.machine, number)
            if number < block.number and self._is_sound(key):
                return self.snapshots.open(key)
        return None

    def _forward(self, state: Replica | Delta, number: int) -> None:
        machine = state.head.machine
        for block in self.log.read(machine, state.head.number + 1, number):
            if (origin := block.body.origin) is not None and not self._is_sound(origin.manifest):
                self._heal(origin.machine, origin.number, origin.manifest, block)
                origin_manifest(self.snapshots, block)
            state.advance(block)
        if state.head.number != number:
            raise NotFound(f"the log of machine {machine!r} ends at block {state.head.number}")

    def _import(self, by: Block | None) -> None:
        """The state that an import brought is that after the block which names it.

        Raises:
            Corrupted: That block has no sound snapshot.
        """
        origin: Origin | None = by.body.origin if by is not None else None
        key = manifest_key(by.machine, by.number) if by is not None else ""
        if by is None or origin is None or not self._is_sound(key):
            raise Corrupted(f"a state from outside stands nowhere else: {key} is not sound")
        before = Head(machine=by.machine, number=-1)
        block = seal(before, Body(), total=by.total, keys=by.header.keys, time=0, code=CODE)
        manifest = structs.replace(
            self.snapshots.open(key),
            number=0,
            hash=block.hash,
            time=0,
            code=CODE,
            epoch=0,
            ordinal=0,
        )
        if block.hash != origin.hash or self.snapshots.pin(manifest, anew=True) != origin.manifest:
            raise Corrupted(f"{origin.manifest} is no state that an import of today stores")

    # -- clearing up ---------------------------------------------------------------------------

    def _retired(self, key: str) -> None:
        """Delete a retired copy that is damaged: it is there for those who read it before."""
        if any(True for _ in self.eye.look(key)) and self.objects.stat(key) is not None:
            self.objects.delete([key])
            self.done.heal(key, "deleted: a damaged copy of a removed snapshot")

    def _clear(self, worn: list[str]) -> None:
        """Tell of runs that were damaged and written again; delete those that nobody names."""
        left = []
        for key in worn:
            if self._is_worn(key):
                left.append(key)
            else:
                self.done.heal(key, "written again from the log")
        machine = self.record.machine
        named = set()
        prefixes = (snapshots_prefix, pinned_prefix, retired_prefix)
        for key in [key for prefix in prefixes for key in self._keys(prefix(machine))]:
            try:
                named |= {run.key for run in self.snapshots.open(key).runs}
            except Corrupted:
                return  # nobody knows what it names
        for key in left:
            if key not in named:
                self.objects.delete([key])
                self.done.heal(key, "deleted: damaged, and no manifest names it any more")

    def _is_worn(self, key: str) -> bool:
        """Whether a run does not have the content that it is named by."""
        name = key.rpartition("/")[2][:64]
        data = self.objects.get(key) if is_run_key(key, name) else None
        return data is not None and sha256(data).hexdigest() != name
