"""The main job, as `make run` runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_main_job_holds_every_check() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.httpx.run"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout
    assert re.search(r"All \d\d checks held", done.stdout)
    assert "git's digest 536675f9b5" in done.stdout
