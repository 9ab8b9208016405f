"""Bring an old state back, the empty one before the first block included."""

from __future__ import annotations

from blockfold.application.restore import Plan, Restored, Target
from blockfold.domain import digest
from blockfold.domain.block import Block, Body, Head
from blockfold.domain.errors import Refused
from blockfold.domain.execute import seal
from blockfold.recorders.snapshot import Snapshot
from blockfold.runtime.stores import Stores

NEVER = float("inf")
CODE = "genesis/1"
"""What the block 0 of a restore to the beginning says about the code that made it."""


def restore(stores: Stores, number: int) -> Restored:
    """Bring the state after a block back, in place. See `Restorer.carry_out`."""
    restorer = stores.restorer()
    if number > 0:
        return restorer.carry_out(Target(stores.machine, block=number), deadline=NEVER)
    return restorer.carry_out(_to_genesis(stores), deadline=NEVER)


def fork(stores: Stores, snapshot: Snapshot) -> Restored:
    """Start the machine, which has no blocks, from the state of another one.

    Raises:
        Refused: The snapshot is of the machine itself, or the machine exists.
    """
    if snapshot.machine == stores.machine:
        raise Refused(
            f"machine {stores.machine!r} cannot start from a snapshot of itself",
            hint="give it another id",
        )
    entries = sorted(snapshot.checked().entries.items())
    uploaded = stores.importer().upload_block(stores.machine, snapshot.block, entries)
    target = Target(stores.machine, imported=uploaded.key)
    return stores.restorer().carry_out(target, deadline=NEVER)


def is_fork_of(first: Block | None, snapshot: Snapshot) -> bool:
    """Whether a machine's first block says that it started from that snapshot."""
    origin = first.body.origin if first else None
    return origin is not None and (origin.machine, origin.number, origin.hash) == (
        snapshot.machine,
        snapshot.number,
        snapshot.block.hash,
    )


def _to_genesis(stores: Stores) -> Plan:
    """Back to the empty state before block 1, as the pinned snapshot of a block 0.

    Raises:
        Refused: There is no block yet.
    """
    newest = stores.log.head(stores.machine)
    if newest is None:
        raise Refused(f"machine {stores.machine!r} has no blocks: its state is empty")
    before = Head(machine=stores.machine, number=-1)
    block = seal(before, Body(), total=digest.EMPTY, keys=0, time=0, code=CODE)
    return Plan(
        kind="restore",
        machine=stores.machine,
        source=stores.machine,
        number=0,
        hash=block.hash,
        digest=block.header.digest,
        rows=0,
        present=newest.header.keys,
        next=newest.number + 1,
        snapshot=True,
        base=0,
        folded=0,
        imported=stores.snapshots.upload(block, []),
    )
