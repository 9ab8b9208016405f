"""Run the matrix, or write its table: ``python -m tests.simulation.matrix --help``."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.matrix.cases import CASES
from tests.simulation.matrix.crossing import hold, on_stage, record
from tests.simulation.matrix.table import table, write


def main(arguments: list[str]) -> int:
    """The exit code: 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.matrix", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    parser.add_argument("--case", default="", help="only the use cases with this in their name")
    options = parser.parse_args(arguments)
    with on_stage():
        if options.write:
            write(table([record(case) for case in CASES]))
            return 0
        broken = runs = 0
        for case in CASES:
            if options.case not in case.name:
                continue
            recorded = record(case)
            count, failed = hold(recorded, every_part=True)
            runs, broken = runs + count, broken + len(failed)
            sys.stdout.write(
                f"{case.name}: {len(recorded.steps)} calls, {count} runs, {len(failed)} wrong\n"
            )
            sys.stdout.write("".join(f"{each}\n" for each in failed[:1]))
    sys.stdout.write(f"runs {runs}\nviolations: {broken}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
