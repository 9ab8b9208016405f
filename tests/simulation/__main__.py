"""Run seeds, or replay one: ``python -m tests.simulation --help``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.defects import DEFECTS
from tests.simulation.environments import simulated
from tests.simulation.plan import Plan
from tests.simulation.run import Ran, run
from tests.simulation.shrink import shrink
from tests.simulation.soak import Soaked, soak_all

TOLD = 5
"""Failing seeds that are told of in full."""


def main(arguments: list[str]) -> int:
    """The exit code: 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many to run")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--minutes", type=float, help="stop after that time")
    parser.add_argument(
        "--seed", type=int, help="run only this one, and tell its story if it fails"
    )
    parser.add_argument("--plan", help="run only this plan, as a shrunk story names it")
    parser.add_argument("--defects", action="store_true", help="count the seeds that find each")
    parser.add_argument("--trace", action="store_true", help="tell the story of a sound run, too")
    parser.add_argument("--whole", action="store_true", help="do not shrink a failing run")
    options = parser.parse_args(arguments)
    if options.plan is not None:
        return _one(Plan.from_json(options.plan), trace=options.trace, whole=True)
    if options.seed is not None:
        return _one(Plan.of(options.seed), trace=options.trace, whole=options.whole)
    if options.defects:
        return _defects(range(options.first, options.first + options.seeds))
    return _many(options)


def _one(plan: Plan, *, trace: bool, whole: bool) -> int:
    with simulated():
        ran = run(plan)
        if ran.violation is not None and not whole:
            ran = shrink(ran)
    if ran.violation is not None or trace:
        _say("\n".join(told(ran)))
    else:
        _say(f"seed {plan.seed}: all laws hold")
    return int(ran.violation is not None)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def told(ran: Ran) -> list[str]:
    """The story of a run, with how to replay it."""
    end = f"BROKEN: {ran.violation}" if ran.violation is not None else "all laws hold"
    replay = f"python -m tests.simulation --seed {ran.plan.seed} --trace"
    if ran.plan != Plan.of(ran.plan.seed):
        replay = f"python -m tests.simulation --plan '{ran.plan.to_json()}' --trace"
    return [*ran.story.words(), end, f"replay: {replay}"]


def _many(options: argparse.Namespace) -> int:
    began = time.monotonic()
    all_ = Soaked()
    seeds = range(options.first, options.first + options.seeds)
    for soaked in soak_all(seeds, jobs=options.jobs, minutes=options.minutes):
        all_.add(soaked)
        for seed, what in soaked.failed:
            _say(f"seed {seed}: {what}")
        if sys.stdout.isatty():
            sys.stderr.write(f"\r{all_.totals['runs']:,} runs")
    for seed, _ in all_.failed[:TOLD]:
        with simulated():
            _say("\n".join(told(shrink(run(Plan.of(seed))))))
    _say(f"{all_.totals['runs']:,} seeds from {options.first} in {time.monotonic() - began:.0f} s")
    _say(all_.words())
    _say(f"violations: {all_.totals['violations']}")
    return int(all_.totals["violations"] > 0)


def _defects(seeds: range) -> int:
    """For each defect, which of some seeds find it; 1 if there is one that none finds."""
    missed = 0
    for defect in DEFECTS:
        with simulated(), defect.made():
            tried = 0
            for tried, seed in enumerate(seeds, 1):
                if run(Plan.of(seed)).violation is not None:
                    _say(f"{defect.name:45} seed {seed}, after {tried}")
                    break
            else:
                missed += 1
                _say(f"{defect.name:45} not found by {tried} seeds")
    _say(f"defects found: {len(DEFECTS) - missed} of {len(DEFECTS)}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
