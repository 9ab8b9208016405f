"""The command line in this process: starting Python for each call is half of a suite's time."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

import botocore.session
from botocore.loaders import Loader, create_loader

from blockfold.cli import main


def run_inside(
    folder: Path, arguments: tuple[str, ...], stdin: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, as a process without a terminal and AWS settings would."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("AWS_")
    } | {"COLUMNS": "80"}
    out, err = _Stream(), _Stream()
    modules, before = set(sys.modules), Path.cwd()
    os.chdir(folder)
    try:
        with (
            patch.dict(os.environ, environment, clear=True),
            patch.object(sys, "argv", ["blockfold", *arguments]),
            patch.object(sys, "path", [*sys.path]),
            patch.object(botocore.session, "create_loader", _loader),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = _code()
    finally:
        os.chdir(before)
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder):
                del sys.modules[name]
    return subprocess.CompletedProcess(arguments, code, out.text, err.text)


@cache
def _loader(search_path: str | None = None) -> Loader:
    """The descriptions of AWS's services, read once for all calls."""
    return create_loader(search_path)


def _code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


class _Stream(io.TextIOWrapper):
    """Text and bytes that were written, as one text."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", newline="")

    @property
    def text(self) -> str:
        self.flush()
        data: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]
        return data.decode()
