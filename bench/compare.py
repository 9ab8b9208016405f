"""Blockfold beside what one would pick instead: ``make bench``, or ``python -m bench.compare``.

Starts a server, counts the requests of each contender once, then times all of them in rounds, one
after the other in each round. Writes ``build/bench/results.json`` and from that the page
``docs/benchmarks.md``. A missed target is told, and is no error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import forest, httpx, leaderboard, report
from bench.contenders import LEADERBOARD, OTHERS, Contender, run
from bench.peers import install
from bench.server import Server, serving
from bench.workload import Workload
from infra.bundle import staged
from infra.options import Platform

ROUNDS = 5
LEAST = 3
"""Rounds that there always are; further ones only if there is time."""

BUDGET_SECONDS = 400.0
"""For counting and all rounds, of the ten minutes that the command may take."""

SHARES = {"leaderboard": 0.75, "forest": 0.875, "httpx": 1.0}
"""By when each workload is to be done with, as shares of the budget."""

RESULTS = install.FOLDER / "results.json"
MODULES = ("bench.domain", "bench.cold_start", "bench.end_to_end")
"""Measurements by themselves, whose figures stand on the page, too."""

MODULE_SECONDS = 600
ROOT = Path(__file__).resolve().parents[1]

Results = dict[str, Any]


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def measure(
    workload: Workload,
    contenders: tuple[Contender, ...],
    server: Server,
    folder: Path,
    rounds: int,
    deadline: float,
) -> Results:
    """Count each contender's requests once, then time all of them in interleaved rounds.

    Args:
        workload: What they are given.
        contenders: They, in the order of a round.
        server: Where.
        folder: For files in between.
        rounds: How many; fewer, but not fewer than `LEAST`, if the next would not be done in time.
        deadline: By when, as ``time.monotonic`` counts.
    """
    rows: dict[str, Results] = {}
    for contender in contenders:
        counted = run(contender, workload, server, folder, counted=True)
        rows[contender.key] = {
            "title": contender.title,
            "kind": contender.kind,
            "packed": contender.packed,
            "batch": contender.batch,
            "actions": counted["actions"],
            "counts": counted["counts"],
            "runs": [],
        }
    done = 0
    longest = 0.0
    while done < min(rounds, LEAST) or (done < rounds and time.monotonic() + longest <= deadline):
        begin = time.monotonic()
        # Who comes right behind whom changes from round to round.
        turn = done % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            timed = run(contender, workload, server, folder, counted=False)
            rows[contender.key]["runs"].append(timed)
        done += 1
        longest = max(longest, time.monotonic() - begin)
        rates = {key: report.rate(row["runs"][-1]) for key, row in rows.items()}
        say(
            f"  {workload.name}, round {done} of {rounds}, {longest:.0f} s: "
            + ", ".join(f"{key} {each:,.0f}/s" for key, each in rates.items())
        )
    return {"actions": len(workload.steps), "rounds": done, "rows": rows}


def machine() -> Results:
    """What it ran on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Of what was measured."""
    pinned = json.loads((install.HERE / "package.json").read_text())["dependencies"]
    lines = install.REQUIREMENTS.read_text().splitlines()
    python = dict(line.split("==") for line in lines if "==" in line)
    node = subprocess.run([install.node(), "--version"], capture_output=True, text=True, check=True)
    return {
        "castore": pinned["@castore/core"],
        "AWS SDK for JavaScript": pinned["@aws-sdk/client-dynamodb"],
        "Node": node.stdout.strip().removeprefix("v"),
        "eventsourcing": python["eventsourcing"],
        "eventsourcing-dynamodb": python["eventsourcing-dynamodb"],
        "boto3": version("boto3"),
        "ministack": _ministack(),
    }


def by_themselves() -> dict[str, str]:
    """What the other measurements print; those that are not there are left out."""
    found: dict[str, str] = {}
    for module in MODULES:
        if not (ROOT / Path(*module.split("."))).with_suffix(".py").exists():
            continue
        say(f"  {module}")
        done = subprocess.run(
            [sys.executable, "-m", module],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=MODULE_SECONDS,
            check=True,
        )
        found[module] = done.stdout
    return found


def asset_bytes() -> int:
    """What the functions' package takes unpacked; boto3 is not in it."""
    with staged(root=ROOT, machine="machines.forest:Forest", platform=Platform.HOST) as bundle:
        return sum(path.stat().st_size for path in bundle.directory.rglob("*") if path.is_file())


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the leaderboard")
    parser.add_argument(
        "--page", action="store_true", help="only write the page, from the last results"
    )
    asked = parser.parse_args()
    if not asked.page:
        results = _measured(asked.rounds)
        RESULTS.write_text(json.dumps(results, indent=1))
    results = json.loads(RESULTS.read_text())
    sys.stdout.write(report.text(results))
    report.PAGE.write_text(report.page(results), encoding="utf-8")
    say(f"wrote {report.PAGE} and {RESULTS}")


def _measured(rounds: int) -> Results:
    begin = time.monotonic()
    install.castore()
    install.eventsourcing()
    workloads: Mapping[str, tuple[Callable[[], Workload], tuple[Contender, ...]]] = {
        "leaderboard": (leaderboard.workload, LEADERBOARD),
        "forest": (forest.workload, OTHERS),
        "httpx": (httpx.workload, OTHERS),
    }
    found: Results = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = folder / "emulator"
        data.mkdir()
        with serving(data) as server:
            for name, (make, contenders) in workloads.items():
                deadline = begin + SHARES[name] * BUDGET_SECONDS
                found[name] = measure(make(), contenders, server, folder, rounds, deadline)
            server_name = server.name
    others = by_themselves()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": time.monotonic() - begin,
        "server": server_name,
        "machine": machine(),
        "versions": versions(),
        "workloads": found,
        "others": others,
        "asset": asset_bytes(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _ministack() -> str:
    pins = (ROOT / "blockfold" / "local" / "emulator-requirements.txt").read_text().splitlines()
    return next(pin.partition("==")[2] for pin in pins if pin.startswith("ministack=="))


if __name__ == "__main__":
    main()
