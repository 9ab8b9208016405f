"""The main job, on real input: a repository's whole history through the local stack.

Brings up a stack of its own, pushes the history, holds the state against git's own answers, at
the head, at blocks of the past and after restoring one, verifies log, table and snapshots, and
stops everything. A second stack runs another machine in the same emulator at the same time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blockfold import local
from blockfold.application.push import pack, wait_until_done
from blockfold.cli.output import clock_time, errors, print_table, progress, short
from blockfold.client import Stack, of_local
from blockfold.domain.block import OUTCOMES, Block
from blockfold.domain.errors import BlockfoldError
from blockfold.ports import Receipt
from examples.httpx.history import commits
from examples.httpx.past import at_the_head, fork, rehearse, restore_and_undo, snapshots, travel
from examples.httpx.telling import Checks, print_line, title

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "run"
MACHINE = "httpx"
COUNT = 25
GROVE = "grove"
TREES = 60
PATIENCE_SECONDS = 60.0


def main() -> int:
    """Run the main job; 0 only if every check held."""
    checks = Checks()
    began = time.monotonic()
    try:
        with running() as (stack, forest):
            story(stack, forest, checks)
    except BlockfoldError as error:
        print_line(f"error: {error}")
        return 1
    seconds = time.monotonic() - began
    if checks.failed:
        print_line(f"\n{len(checks.failed)} checks did not hold: {', '.join(checks.failed)}")
        return 1
    print_line(f"\nAll {checks.held} checks held, in {seconds:.0f} s. Next, a stack of your own:\n")
    print_line("  make up                                    a local stack that stays up")
    print_line("""  echo '{"type": "plant", "args": {"tree": "t1", "species": "oak"}}' \\""")
    print_line("    | .venv/bin/blockfold push grove --wait    your first action")
    print_line("  .venv/bin/blockfold state grove            what it did")
    print_line("  make deploy                                the same stack in your AWS account")
    return 0


@contextmanager
def running() -> Iterator[tuple[Stack, Stack]]:
    """Two fresh stacks in a folder of their own, stopped at the end whatever happens."""
    title("Two local stacks from the CDK template")

    def report(step: str) -> None:
        print_line(f"  {step}")

    try:
        repository = local.up(
            ROOT,
            machine="machines.repository:Repository",
            context={"count": str(COUNT)},
            fresh=True,
            data=DATA,
            report=report,
        )
        forest = local.up(
            ROOT,
            stack="BlockfoldForest",
            machine="machines.forest:Forest",
            data=DATA,
            report=report,
        )
        yield of_local(repository), of_local(forest)
    finally:
        local.down(ROOT, data=DATA)


def story(stack: Stack, forest: Stack, checks: Checks) -> None:
    """The job itself, step by step."""
    growing = plant(forest)
    push(stack)
    blocks = list(stack.reader.blocks(MACHINE))
    show(blocks)
    at_the_head(stack, MACHINE, checks)
    travel(stack, MACHINE, blocks, checks)
    snapshots(stack, MACHINE, COUNT, checks)
    restore_and_undo(stack, MACHINE, blocks, checks)
    forked = fork(stack, MACHINE, blocks, checks)
    rehearse(stack, MACHINE, checks)
    title(f"Meanwhile, in the other stack, machine {GROVE!r} of Forest")
    wait(forest, GROVE, growing)
    trees = forest.reader.state(GROVE, prefix="tree/").entries
    checks.check(
        f"{TREES} trees planted, a third cut: {len(trees)} stand", len(trees), TREES * 2 / 3
    )
    title("Verify: hash chain, digests, snapshots, log against table")
    for where, machine in ((stack, MACHINE), (stack, forked), (forest, GROVE)):
        result = where.verifier.verify(machine)
        checks.check(
            f"{machine}: {result.blocks} blocks, {result.actions:,} actions, {result.keys} rows "
            f"and {result.snapshots} snapshots agree",
            result.findings,
            [],
        )


def plant(forest: Stack) -> Receipt:
    """Send a small forest's actions; the queue's receipt for the last message."""
    actions: list[dict[str, object]] = []
    for number in range(TREES):
        tree = {"tree": f"t{number:02}"}
        species = "oak" if number % 2 else "pine"
        actions.append({"type": "plant", "args": {**tree, "species": species}})
        actions.append({"type": "water", "args": tree})
        if number % 3 == 0:
            actions.append({"type": "cut", "args": tree})
    return send(forest, GROVE, [body for body, _ in pack(map(json.dumps, actions), 10)])


def push(stack: Stack) -> None:
    """Send the history in order, a message a commit, and wait until it stands in blocks."""
    history = commits()
    actions = sum(len(commit.actions) for commit in history)
    title(f"Push {actions:,} actions of {len(history):,} commits into machine {MACHINE!r}")
    began = time.monotonic()
    last = send(stack, MACHINE, [commit.body for commit in history])
    sent = time.monotonic() - began
    with errors().status("the executor is folding"):
        wait(stack, MACHINE, last)
    done = time.monotonic() - began
    print_line(
        f"  sent in {sent:.1f} s, all in blocks after {done:.1f} s: {actions / done:,.0f} actions/s"
    )


def send(stack: Stack, machine: str, bodies: Sequence[str]) -> Receipt:
    """Send messages in order; the queue's receipt for the last one."""
    receipts: list[Receipt] = []
    with progress() as bar:
        task = bar.add_task("sent", total=len(bodies))
        for body in bodies:
            receipts.append(stack.queue.send(machine, body))
            bar.advance(task)
    return receipts[-1]


def wait(stack: Stack, machine: str, receipt: Receipt) -> None:
    """Wait until a message stands in a block."""
    adapters = stack.adapters
    wait_until_done(adapters.log, adapters.clock, machine, receipt, seconds=PATIENCE_SECONDS)


def show(blocks: list[Block]) -> None:
    """The first and last blocks, and all outcomes."""
    title(f"{len(blocks)} blocks")
    print_table(
        ("block#", "time#", "actions#", "changes#", "hash#", "parent#"),
        (
            (
                block.number,
                clock_time(block.header.time),
                block.actions,
                block.header.changes,
                short(block.hash),
                short(block.header.parent),
            )
            for block in (*blocks[:3], *blocks[-3:])
        ),
    )
    counts = {each: sum(block.outcomes[each] for block in blocks) for each in OUTCOMES}
    print_line("  outcomes: " + ", ".join(f"{count:,} {each}" for each, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
