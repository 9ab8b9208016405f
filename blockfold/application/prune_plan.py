"""What goes when a machine is pruned: the plan, and likewise what went."""

from __future__ import annotations

from dataclasses import dataclass, field

from blockfold.application.collect import Named
from blockfold.application.prune_blocks import Blocks
from blockfold.domain.segments import Segment
from blockfold.ports import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What goes, as a plan; or what went.

    Attributes:
        machine: The machine's id.
        blocks: The blocks that may leave the table, and why not more.
        snapshots: Numbers of the snapshots to be removed. What their runs take is free a day later.
        copies: Copies of manifests that were removed more than a day ago.
        runs: Runs that no manifest names.
        segments: Segments of the archive whose blocks others hold as well.
        bodies: Bodies of large blocks that no block needs.
        proof: The newest snapshot, which has to be read whole before blocks go; None if it was
            or if no blocks go.
        notes: What else is to be said.
        named: What the manifests named when the plan was made.
    """

    machine: str
    blocks: Blocks
    snapshots: tuple[int, ...] = ()
    copies: tuple[Stored, ...] = ()
    runs: tuple[Stored, ...] = ()
    segments: tuple[Segment, ...] = ()
    bodies: tuple[Stored, ...] = ()
    proof: int | None = None
    notes: tuple[str, ...] = ()
    named: Named = field(default_factory=Named, repr=False, compare=False)

    @property
    def objects(self) -> int:
        """How many objects are deleted at once."""
        return len(self.copies) + len(self.runs) + len(self.segments) + len(self.bodies)

    @property
    def bytes(self) -> int:
        """What they take."""
        stored = sum(each.bytes for each in (*self.copies, *self.runs, *self.bodies))
        return stored + sum(segment.bytes for segment in self.segments)

    @property
    def empty(self) -> bool:
        """Whether nothing goes."""
        return not (self.objects or self.snapshots or self.blocks.count)
