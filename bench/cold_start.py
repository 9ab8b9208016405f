"""A cold start beside its floor: ``python -m bench.cold_start``.

The floor is what no function on DynamoDB can avoid: ``import boto3; boto3.client("dynamodb")``.
Each function is imported, and makes what its first event needs: its use case, and the client. Both
run in fresh processes, in turns; CPU time, because others may use the machine, and the process's
largest resident size. All is compiled before, in a cache of the run's own.

In Lambda the asset is not compiled, nor can it be kept: its directory is read-only. So the executor
is also started from the asset as it is deployed, beside a boto3 that is compiled, as the runtime's
is. Then the executor's imports by package, from ``-X importtime``.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from infra.bundle import staged
from infra.options import Platform

ROUNDS = 15
PACKAGES = 12
"""Rows of the import table."""

ROOT = Path(__file__).resolve().parents[1]

FLOOR = "import boto3; boto3.client('dynamodb')"
MEASURED = {
    "executor": "import lambdas.executor as λ; λ._executor().log",
    "announcer": "import lambdas.announcer",
    "archiver": "import lambdas.archiver",
    "dumper": "import lambdas.dumper",
    "restorer": "import lambdas.restorer",
    "pruner": "import lambdas.pruner",
    "driller": "import lambdas.driller",
}
"""What is run of each function; all but the executor make their clients when they are called."""

ASSET = "executor, asset"

_REPORT = """
import resource, time
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "BLOCKFOLD_ACTIONS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/a.fifo",
    "BLOCKFOLD_BLOCKS_TABLE": "blocks",
    "BLOCKFOLD_STATE_TABLE": "state",
    "BLOCKFOLD_MACHINES_TABLE": "machines",
    "BLOCKFOLD_SNAPSHOTS_BUCKET": "bucket",
    "BLOCKFOLD_MACHINE": "machines.forest:Forest",
    "POWERTOOLS_METRICS_NAMESPACE": "Blockfold",
    "POWERTOOLS_SERVICE_NAME": "executor",
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One process: seconds of CPU, and megabytes."""

    seconds: float
    megabytes: float


def started(code: str, asset: Path | None = None) -> Start:
    """Run it in a fresh process; from an asset, compiling what is in there."""
    lines = f"import time; start = time.process_time()\n{code}\n{_REPORT}"
    seconds, kilobytes = _python("-c", lines, asset=asset).stdout.split()
    return Start(float(seconds), int(kilobytes) / 1024)


def imports(code: str) -> Counter[str]:
    """Seconds that each top-level package's modules take by themselves."""
    taken: Counter[str] = Counter()
    for line in _python("-X", "importtime", "-c", code).stderr.splitlines():
        if found := re.fullmatch(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", line):
            taken[found[2].partition(".")[0]] += int(found[1])
    return taken


def measured() -> dict[str, list[Start]]:
    """All starts, in turns."""
    runs: dict[str, list[Start]] = {"floor": [], **{name: [] for name in MEASURED}, ASSET: []}
    for code in MEASURED.values():
        started(code)  # compiles what is not
    machine, here = ENVIRONMENT["BLOCKFOLD_MACHINE"], Platform.HOST
    with staged(root=ROOT, machine=machine, platform=here) as bundle:
        for _ in range(ROUNDS):
            for name, code in {"floor": FLOOR, **MEASURED}.items():
                runs[name].append(started(code))
            runs[ASSET].append(started(MEASURED["executor"], bundle.directory))
    return runs


def main() -> None:
    """Print both."""
    runs = measured()
    seconds = {name: statistics.median(run.seconds for run in all_) for name, all_ in runs.items()}
    sizes = {name: statistics.median(run.megabytes for run in all_) for name, all_ in runs.items()}
    sys.stdout.write(f"CPU and memory of a start, medians of {ROUNDS} rounds\n")
    for name, taken in seconds.items():
        sys.stdout.write(
            f"  {name:<20} {taken * 1000:6.0f} ms {taken / seconds['floor']:5.2f} x "
            f"{sizes[name]:6.1f} MB {sizes[name] / sizes['floor']:5.2f} x\n"
        )
    sys.stdout.write("the executor's imports\n")
    for package, micro in imports(MEASURED["executor"]).most_common(PACKAGES):
        sys.stdout.write(f"  {package:<24} {micro / 1000:6.1f} ms\n")


def _python(*arguments: str, asset: Path | None = None) -> subprocess.CompletedProcess[str]:
    compiled = str(ROOT / "build" / "cold-start")
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPYCACHEPREFIX": compiled}
    if asset is not None:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=asset or ROOT,
        env=environment,
    )


if __name__ == "__main__":
    main()
