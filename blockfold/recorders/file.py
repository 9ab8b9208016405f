"""Recording in a folder, in the layout of a stack's bucket."""

from __future__ import annotations

import os
from pathlib import Path

from blockfold.adapters.folder import FolderObjectStore
from blockfold.recorders.object_recorder import ObjectRecorder
from blockfold.recorders.quiet import SECONDS, TimedClock


class FileRecorder(ObjectRecorder):
    """Keeps log and snapshots as files. Many machines may share a folder.

    Args:
        folder: The folder.
        machine: The machine's id.
        create: Make the folder if it is missing; if not, using it raises `BucketMissing`.
        quiet: Seconds without a dispatch after which a snapshot is made; None makes none.
        most: Seconds after which one is made however much is dispatched; ten times ``quiet`` if
            None.
        clock: Time and timers.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        machine: str,
        *,
        create: bool = True,
        quiet: float | None = SECONDS,
        most: float | None = None,
        clock: TimedClock | None = None,
    ) -> None:
        objects = FolderObjectStore(Path(folder), create=create)
        super().__init__(machine, objects, quiet=quiet, most=most, clock=clock)
