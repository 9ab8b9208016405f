"""Producer → queue → executor → state, on the local stack: ``python -m bench.end_to_end``.

The leaderboard's actions go through the deployed template in the emulator. In turns: one action a
message by bare ``send_message`` calls, one after the other, as order asks for; the same by bare
``send_message_batch`` calls of ten, which a partly failed batch would bring out of order; and the
producer. A round ends when the head holds all actions and the state table is up to the head.
The dumper is off. All processes share the host, so only ratios tell.

``--json`` prints figures for a program instead.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.leaderboard import workload
from blockfold import local
from blockfold.client import Stack, of_local

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "build" / "end-to-end"
ROUNDS = 5
ACTIONS = 10_000
RAW_ACTIONS = 500
"""Of the same workload for the bare calls: rates are per action, and these are slow."""

BATCH = 10
WAYS = {
    "raw": "one action a message",
    "batches": "the same, ten a request",
    "producer": "the producer",
}

PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Run:
    """One way, once.

    Attributes:
        way: One of `WAYS`.
        actions: How many actions.
        sent: Seconds until the queue had all.
        committed: Seconds until the head held all.
        folded: Seconds until the state table was up to it, too.
        messages: Messages.
        blocks: Blocks.
        sent_bytes: Bytes of the messages as SQS counts them.
    """

    way: str
    actions: int
    sent: float
    committed: float
    folded: float
    messages: int
    blocks: int
    sent_bytes: int

    @property
    def rate(self) -> float:
        """Actions a second, end to end."""
        return self.actions / self.folded


def main() -> None:
    """Print both rates and their ratio."""
    with _stack() as stack:
        for way in (_raw, _batches, _produced):  # processes start, code is compiled
            way(stack, 100)
        runs: list[Run] = []
        for turn in range(ROUNDS):
            each = [_raw(stack, RAW_ACTIONS), _batches(stack, RAW_ACTIONS)]
            runs += [*each, _produced(stack, ACTIONS)]
            _say(f"round {turn + 1}: {_told(runs[-3:])}")
    as_json = "--json" in sys.argv[1:]
    sys.stdout.write((json.dumps(_figures(runs), indent=1) if as_json else _report(runs)) + "\n")


def _raw(stack: Stack, actions: int) -> Run:
    """One action a message, each sent when the one before was acknowledged."""
    machine, url = f"raw-{uuid4().hex[:8]}", stack.outputs["ActionsQueueUrl"]
    client = stack.clients.sqs
    size = 0
    began = time.perf_counter()
    for body in workload(actions).bodies(1):
        client.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageGroupId=machine,
            MessageDeduplicationId=str(uuid4()),
        )
        size += len(body)
    sent = time.perf_counter() - began
    blocks, committed, folded = _await(stack, machine, actions, began)
    return Run("raw", actions, sent, committed, folded, actions, blocks, size)


def _batches(stack: Stack, actions: int) -> Run:
    """One action a message, ten messages a request."""
    machine, url = f"batches-{uuid4().hex[:8]}", stack.outputs["ActionsQueueUrl"]
    client = stack.clients.sqs
    bodies = list(workload(actions).bodies(1))
    began = time.perf_counter()
    for start in range(0, actions, BATCH):
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(index),
                "MessageBody": body,
                "MessageGroupId": machine,
                "MessageDeduplicationId": str(uuid4()),
            }
            for index, body in enumerate(bodies[start : start + BATCH])
        ]
        client.send_message_batch(QueueUrl=url, Entries=entries)
    sent = time.perf_counter() - began
    blocks, committed, folded = _await(stack, machine, actions, began)
    size = sum(map(len, bodies))
    return Run("batches", actions, sent, committed, folded, actions, blocks, size)


def _produced(stack: Stack, actions: int) -> Run:
    """The same by the producer, with its defaults."""
    machine = f"produced-{uuid4().hex[:8]}"
    began = time.perf_counter()
    with stack.producer() as producer:
        for step in workload(actions).steps:
            producer.push(machine, step.type, player=step.entity, **step.args)
        producer.flush()
        sent = time.perf_counter() - began
    blocks, committed, folded = _await(stack, machine, actions, began)
    stats = producer.stats
    size = stats.sent_bytes
    return Run("producer", actions, sent, committed, folded, stats.messages, blocks, size)


def _await(stack: Stack, machine: str, actions: int, began: float) -> tuple[int, float, float]:
    """The head that holds so many actions, and the seconds until it and the table did."""
    adapters = stack.adapters
    committed = 0.0
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        newest = adapters.log.head(machine)
        if newest is not None and newest.head.ordinal >= actions:
            committed = committed or time.perf_counter() - began
            record = adapters.machines.get(machine)
            if record is not None and record.flushed >= newest.number:
                return newest.number, committed, time.perf_counter() - began
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"machine {machine} does not hold {actions} actions")


def _figures(runs: list[Run]) -> dict[str, Any]:
    """Medians with their ranges, and every run."""
    rates = {way: [run.rate for run in runs if run.way == way] for way in WAYS}

    def ratio(way: str) -> dict[str, float]:
        pairs = zip(rates["producer"], rates[way], strict=True)
        return _spread([ours / theirs for ours, theirs in pairs])

    return {
        **{way: _spread(values) for way, values in rates.items()},
        "ratio": ratio("raw"),
        "ratio_to_batches": ratio("batches"),
        "runs": [asdict(run) for run in runs],
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _report(runs: list[Run]) -> str:
    figures = _figures(runs)
    lines = ["", "end to end on the local stack, medians (least to most)"]
    for way, name in WAYS.items():
        spread = figures[way]
        of_it = [run for run in runs if run.way == way]
        middle = {
            name: statistics.median(pick(run) for run in of_it) for name, pick in _SHARES.items()
        }
        lines.append(
            f"{name:<25}{spread['median']:>9,.0f} actions/s  "
            f"({spread['min']:,.0f} to {spread['max']:,.0f})  "
            f"sent after {middle['sent']:.0%} of the time, committed after "
            f"{middle['committed']:.0%}; {middle['per block']:,.0f} actions a block, "
            f"{middle['bytes']:,.1f} bytes an action in the queue"
        )
    for name, to in (("ratio", "one action a message"), ("ratio_to_batches", "ten a request")):
        ratio = figures[name]
        range_ = f"{ratio['min']:.1f} to {ratio['max']:.1f}"
        lines.append(f"ratio {ratio['median']:.1f} ({range_}) to {to}")
    return "\n".join(lines)


_SHARES: dict[str, Callable[[Run], float]] = {
    "sent": lambda run: run.sent / run.folded,
    "committed": lambda run: run.committed / run.folded,
    "per block": lambda run: run.actions / run.blocks,
    "bytes": lambda run: run.sent_bytes / run.actions,
}


def _told(runs: list[Run]) -> str:
    return ", ".join(f"{run.way} {run.rate:,.0f} actions/s" for run in runs)


def _say(text: str) -> None:
    sys.stderr.write(f"  {text}\n")


@contextmanager
def _stack() -> Iterator[Stack]:
    """A fresh local stack of its own, stopped at the end."""
    try:
        yield of_local(
            local.up(
                ROOT,
                machine="blockfold.runtime.leaderboard:Leaderboard",
                context={"count": "0"},
                fresh=True,
                data=DATA,
                report=_say,
            )
        )
    finally:
        local.down(ROOT, data=DATA)


if __name__ == "__main__":
    main()
