"""Run by the emulator's own interpreter, by path: ``python serve.py <data folder>``.

Writes down its process id and port, so that it is found again whatever happens to the command
that started it, and runs ministack in this process. After a graceful stop whose state was saved
whole it writes the marker ``clean``: ministack logs a failed save and goes on, so the marker is
what tells a complete state from a torn one. Imports the standard library only, and no other
module of this package.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path


class Failures(logging.Handler):
    """Collects what ministack could not save or load."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.messages.append(record.getMessage())


def main(folder: Path) -> int:
    """Serve until SIGTERM; 0 when everything was saved.

    ministack reads its own arguments from ``sys.argv``, so they are cleared for it.
    """
    (folder / "process").write_text(f"{os.getpid()} {os.environ['GATEWAY_PORT']}\n")
    failures = Failures()
    logging.getLogger("persistence").addHandler(failures)
    sys.argv = ["ministack"]
    importlib.import_module("ministack.app").main()
    if failures.messages:
        sys.stderr.write(f"state not saved whole: {'; '.join(failures.messages)}\n")
        return 1
    (folder / "clean").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
