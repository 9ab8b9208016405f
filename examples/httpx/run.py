"""The main job, on real input: a repository's whole history through the local stack.

Brings up a stack of its own, pushes the history, holds the state against git's own answers, at
the head and at blocks of the past, verifies log against table, and stops everything.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blockfold import local
from blockfold.application.push import wait_until_done
from blockfold.application.read import StateView
from blockfold.cli.output import errors, moment, print_table, progress, short
from blockfold.client import Stack, of_local
from blockfold.domain.block import OUTCOMES, Block
from blockfold.domain.canonical import decode
from blockfold.domain.errors import BlockfoldError
from examples.httpx.history import commits, digest_of, git_digests, tree_after

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "run"
MACHINE = "httpx"
OTHER_BLOCKS = 6
"""Blocks that end between listed commits, compared with a fold of the file."""


@dataclass(slots=True)
class Checks:
    """What was checked, and whether all of it held."""

    failed: list[str] = field(default_factory=list)
    held: int = 0

    def check(self, what: str, found: object, wanted: object) -> None:
        """Note one check and print it."""
        if found == wanted:
            self.held += 1
            print_line(f"  ok    {what}")
        else:
            self.failed.append(what)
            print_line(f"  WRONG {what}: found {found}, wanted {wanted}")


def print_line(text: str = "") -> None:
    """Print a line of the story."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the main job; 0 only if every check held."""
    checks = Checks()
    began = time.monotonic()
    try:
        with running() as stack:
            story(stack, checks)
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
def running() -> Iterator[Stack]:
    """A fresh stack in a folder of its own, stopped at the end whatever happens."""
    title("A local stack from the CDK template")
    try:
        yield of_local(
            local.up(
                ROOT,
                machine="machines.repository:Repository",
                fresh=True,
                data=DATA,
                report=lambda step: print_line(f"  {step}"),
            )
        )
    finally:
        local.down(ROOT, data=DATA)


def story(stack: Stack, checks: Checks) -> None:
    """The job itself, step by step."""
    push(stack)
    blocks = list(stack.reader.blocks(MACHINE))
    show(blocks)
    at_the_head(stack, checks)
    travel(stack, blocks, checks)
    title("Verify: hash chain, digests, log against table")
    result = stack.verifier.verify(MACHINE)
    checks.check(
        f"{result.blocks} blocks, {result.actions:,} actions and {result.keys} rows agree",
        result.findings,
        [],
    )


def push(stack: Stack) -> None:
    """Send the history in order, a message a commit, and wait until it stands in blocks."""
    history = commits()
    actions = sum(len(commit.actions) for commit in history)
    title(f"Push {actions:,} actions of {len(history):,} commits into machine {MACHINE!r}")
    began = time.monotonic()
    sequence = "0"
    with progress() as bar:
        task = bar.add_task("sent", total=len(history))
        for commit in history:
            sequence = stack.queue.send(MACHINE, commit.body).sequence
            bar.advance(task)
    sent = time.monotonic() - began
    with errors().status("the executor is folding"):
        wait_until_done(stack.adapters.log, stack.adapters.clock, MACHINE, sequence, seconds=60)
    done = time.monotonic() - began
    print_line(
        f"  sent in {sent:.1f} s, all in blocks after {done:.1f} s: {actions / done:,.0f} actions/s"
    )


def show(blocks: list[Block]) -> None:
    """The first and last blocks, and all outcomes."""
    title(f"{len(blocks)} blocks")
    print_table(
        ("block#", "commit time", "actions#", "changes#", "hash", "parent"),
        (
            (
                block.number,
                moment(block.header.time),
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


def at_the_head(stack: Stack, checks: Checks) -> None:
    """The state table against git."""
    title("The state at the head, against git")
    total = max(git_digests())
    view = stack.reader.state(MACHINE)
    checks.check(
        f"{len(view.entries)} files at block {view.number}: git's digest "
        f"{short(git_digests()[total])}",
        digest_of(_tree(view)),
        git_digests()[total],
    )
    checks.check("every action was applied", stack.reader.head(MACHINE).ordinal, total)


def travel(stack: Stack, blocks: list[Block], checks: Checks) -> None:
    """The state at blocks of the past, against git where it knows, else against the file."""
    title("Travel to blocks of the past")
    known = git_digests()
    listed = [block for block in blocks if block.head.ordinal in known]
    between = [block for block in blocks if block.head.ordinal not in known]
    step = max(1, len(between) // OTHER_BLOCKS)
    for block in sorted((*listed, *between[::step]), key=lambda block: block.number):
        actions = block.head.ordinal
        source = "git" if actions in known else "a fold of the file"
        wanted = known.get(actions) or digest_of(tree_after(actions))
        view = stack.reader.state_at(MACHINE, block.number)
        checks.check(
            f"block {block.number:>4}, after {actions:>5,} actions: {len(view.entries):>3} files, "
            f"as {source} says",
            digest_of(_tree(view)),
            wanted,
        )


def title(text: str) -> None:
    """Print a step's heading."""
    print_line(f"\n== {text}")


def _tree(view: StateView) -> dict[str, str]:
    tree: dict[str, str] = {}
    for path, data in view.entries.items():
        value = decode(data)
        assert isinstance(value, dict)
        tree[path] = str(value["blob"])
    return tree


if __name__ == "__main__":
    sys.exit(main())
