"""Where everything of one local stack lies: the data folder and its parts.

::

    .blockfold/
    ├── local.json          what runs where (see stack_file.py)
    ├── local.lock          one command at a time
    ├── emulator.log        the emulator's and the Lambdas' output
    ├── emulator/           the emulator's data: state/ s3/ tmp/, the marker clean, and process
    ├── emulator.saved/     state/ and s3/ as they were at the last graceful stop
    └── assembly/<stack>/   the synthesized cloud assembly
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

DEFAULT_NAME = ".blockfold"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The data folder at `path` (absolute); see the module for its parts."""

    path: Path

    @classmethod
    def of(cls, root: Path, data: Path | None = None) -> DataFolder:
        """The folder `data`, or ``.blockfold`` in the project `root`."""
        return cls((data if data is not None else root / DEFAULT_NAME).resolve())

    @property
    def stack_file(self) -> Path:
        """What runs where."""
        return self.path / "local.json"

    @property
    def lock(self) -> Path:
        """Held by the command that changes anything here."""
        return self.path / "local.lock"

    @property
    def log(self) -> Path:
        """Output of the emulator and of the Lambdas."""
        return self.path / "emulator.log"

    @property
    def emulator(self) -> Path:
        """The emulator's data."""
        return self.path / "emulator"

    @property
    def state(self) -> Path:
        """The JSON files of ministack, one a service, written at a graceful stop."""
        return self.emulator / "state"

    @property
    def objects(self) -> Path:
        """S3 objects, written as they are put."""
        return self.emulator / "s3"

    @property
    def temporary(self) -> Path:
        """Unpacked Lambda code; worthless once the emulator has stopped."""
        return self.emulator / "tmp"

    @property
    def clean(self) -> Path:
        """Exists only after a graceful stop that saved everything."""
        return self.emulator / "clean"

    @property
    def process(self) -> Path:
        """Process id and port of the emulator that was started last, as ``<pid> <port>``."""
        return self.emulator / "process"

    @property
    def saved(self) -> Path:
        """The data at the last graceful stop."""
        return self.path / "emulator.saved"

    def assembly(self, stack: str) -> Path:
        """The synthesized cloud assembly of one stack."""
        return self.path / "assembly" / stack

    def wipe(self) -> None:
        """Delete all data of the emulator, and what is known about stacks; keep assemblies."""
        for folder in (self.emulator, self.saved):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.stack_file, self.log):
            file.unlink(missing_ok=True)
