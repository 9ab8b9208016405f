"""The part of the main job that looks back: travel, snapshots, restore, undo, fork."""

from __future__ import annotations

import time

from blockfold.cli.output import clock_time, print_table, short
from blockfold.client import Stack
from blockfold.domain.block import Block
from blockfold.domain.canonical import Canonical, decode
from examples.httpx.history import digest_of, git_digests, tree_after
from examples.httpx.telling import Checks, print_line, title

OTHER_BLOCKS = 6
"""Blocks that end between listed commits, compared with a fold of the file."""

SHOWN_SNAPSHOTS = 6
PATIENCE_SECONDS = 60.0


def at_the_head(stack: Stack, machine: str, checks: Checks) -> None:
    """The state table against git."""
    title("The state at the head, against git")
    total = max(git_digests())
    view = stack.reader.state(machine)
    checks.check(
        f"{len(view.entries)} files at block {view.number}: git's digest "
        f"{short(git_digests()[total])}",
        digest_of(tree(view.entries)),
        git_digests()[total],
    )
    checks.check("every action was applied", stack.reader.head(machine).ordinal, total)


def travel(stack: Stack, machine: str, blocks: list[Block], checks: Checks) -> None:
    """The state at blocks of the past, against git where it knows, else against the file."""
    title("Travel to blocks of the past")
    known = git_digests()
    listed = [block for block in blocks if block.head.ordinal in known]
    between = [block for block in blocks if block.head.ordinal not in known]
    step = max(1, len(between) // OTHER_BLOCKS)
    for block in sorted((*listed, *between[::step]), key=lambda block: block.number):
        actions = block.head.ordinal
        view = stack.reader.state_at(machine, block.number)
        checks.check(
            f"block {block.number:>4}, after {actions:>5,} actions: {len(view.entries):>3} files, "
            f"as {'git' if actions in known else 'a fold of the file'} says",
            digest_of(tree(view.entries)),
            wanted_after(actions),
        )


def snapshots(stack: Stack, machine: str, count: int, checks: Checks) -> None:
    """The snapshots that the dumper made meanwhile, event by event."""
    title(f"Snapshots, every {count} blocks")
    due = list(range(count, stack.reader.head(machine).number + 1, count))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while stack.adapters.snapshots.numbers(machine) != due and time.monotonic() < deadline:
        time.sleep(0.2)
    found = list(stack.reader.manifests(machine))
    print_table(
        ("block#", "time#", "files#", "bytes#", "digest#"),
        (
            (each.number, clock_time(each.time), each.rows, f"{each.size:,}", short(each.digest))
            for each in found[-SHOWN_SNAPSHOTS:]
        ),
    )
    checks.check(
        f"{len(found)} snapshots, exactly the due ones", [each.number for each in found], due
    )


def restore_and_undo(stack: Stack, machine: str, blocks: list[Block], checks: Checks) -> None:
    """An old block back in place, by the restore function, and that undone."""
    old = blocks[len(blocks) // 2]
    head = blocks[-1]
    title(f"Restore block {old.number} in place, then undo that")
    plan = stack.call(
        "RestoreFunctionName", {"machine": machine, "block": old.number, "dry_run": True}
    )
    print_line(f"  plan: {plan['written']} keys to write, {plan['deleted']} to delete")
    for target in (old, head):
        began = time.monotonic()
        answer = stack.call("RestoreFunctionName", {"machine": machine, "block": target.number})
        seconds = time.monotonic() - began
        checks.check(
            f"block {answer['number']} brings back block {target.number} in {seconds:.2f} s: the "
            f"table holds its {len(table(stack, machine))} files",
            digest_of(tree(table(stack, machine))),
            wanted_after(target.head.ordinal),
        )
        checks.check("with the same state digest", answer["digest"], target.header.digest)


def fork(stack: Stack, machine: str, blocks: list[Block], checks: Checks) -> str:
    """Another machine from an old block; its id."""
    old = blocks[len(blocks) // 3]
    name = f"{machine}-{old.number}"
    title(f"Fork machine {name!r} from block {old.number}")
    stack.call("RestoreFunctionName", {"machine": machine, "block": old.number, "as": name})
    checks.check(
        f"its block 1 holds the {len(table(stack, name))} files of block {old.number}",
        digest_of(tree(table(stack, name))),
        wanted_after(old.head.ordinal),
    )
    return name


def rehearse(stack: Stack, machine: str, checks: Checks) -> None:
    """A rebuild from the bucket alone, beside the live tables."""
    title("Rehearse the loss of all tables")
    stack.call("DumperFunctionName", {"machine": machine, "command": "archive"})
    head = stack.reader.head(machine)
    done = stack.drill.run(machine)
    checks.check(
        f"{done.blocks} blocks read and {done.rows} rows rebuilt from the bucket alone in "
        f"{done.seconds:.1f} s; {done.rpo_blocks} blocks would be lost",
        (done.number, done.digest, done.rpo_blocks, done.findings),
        (head.number, head.digest, 0, ()),
    )


def table(stack: Stack, machine: str) -> dict[str, Canonical]:
    """What the state table itself holds, read raw: not through the log."""
    rows = stack.adapters.table.scan(machine)
    return {row.key: row.value for row in rows if row.value is not None}


def wanted_after(actions: int) -> str:
    """The digest after a number of actions, by git where it is known, else by the file."""
    return git_digests().get(actions) or digest_of(tree_after(actions))


def tree(entries: dict[str, Canonical]) -> dict[str, str]:
    """Path → blob."""
    found: dict[str, str] = {}
    for path, data in entries.items():
        value = decode(data)
        assert isinstance(value, dict)
        found[path] = str(value["blob"])
    return found
