"""``python -m tests.soak --minutes 10 --seed 1``: a soak of real processes on the local stack."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.soak.plan import Plan
from tests.soak.soak import run


def main() -> int:
    """Soak; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long faults last")
    parser.add_argument("--seed", type=int, default=None, help="repeats the chances, not the races")
    parser.add_argument("--keep", action="store_true", help="keep the folder in any case")
    told = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if told.seed is None else told.seed
    result = run(
        Plan(seconds=60 * told.minutes, seed=seed),
        keep=told.keep,
        report=_say,
    )
    for line in result.lines():
        _say(line)
    return 1 if result.violations else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
