"""The command line: ``blockfold --help``."""

from __future__ import annotations

from blockfold.cli.app import main

__all__ = ["main"]
