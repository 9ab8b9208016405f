"""How much of a machine's past is kept, and where: which snapshots, and which blocks in the table.

Blocks that leave the table stand in the archive, so all of them can be read for ever.
"""

from __future__ import annotations

import msgspec


class Thin(msgspec.Struct, frozen=True):
    """One snapshot in so much time, as long as it is not too old.

    Attributes:
        every: Of the snapshots in so many seconds, the newest is kept.
        span: How far back this reaches, seconds.
    """

    every: int
    span: int


class Retention(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a machine's past.

    Attributes:
        snapshots: So many of the newest snapshots; None keeps all.
        thin: Which of the older snapshots besides.
        blocks: So many of the newest blocks stay in the table; None keeps all.
        days: Blocks younger than so many days stay in the table; None keeps all. With both, a
            block stays as long as either says so.
    """

    snapshots: int | None = None
    thin: tuple[Thin, ...] = ()
    blocks: int | None = None
    days: int | None = None


KEEP_ALL = Retention()
