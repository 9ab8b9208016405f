"""What calls did to the services, seen as it happens, and held against the laws at once."""

from __future__ import annotations

from typing import Any

from blockfold.application.counters import partition_of
from blockfold.domain.counters import Counter
from blockfold.domain.errors import Corrupted
from blockfold.domain.segments import cover
from tests.simulation.services import Call
from tests.simulation.story import Violation
from tests.simulation.tasks import Task


def observe(world: Any, task: Task, call: Call, answer: Any) -> None:
    """Look at what a call did.

    Raises:
        Violation: A law does not hold any more.
    """
    watch = _WATCHED.get(call.operation)
    if watch is not None:
        watch(world, task, call.params, answer)


def _put_item(world: Any, task: Task, params: dict[str, Any], answer: Any) -> None:
    if params["TableName"] != world.settings.blocks_table:
        return
    machine = params["Item"]["machine"]["S"]
    number = int(params["Item"]["number"]["N"])
    block = world.observer.log.get(machine, number)
    if block is None:
        raise Violation("law 2, the log is the truth", f"block {number} of {machine} is not there")
    world.truth.commit(block)
    world.totals["blocks"] += 1
    world.totals["actions"] += block.actions
    if block.body.origin is not None:
        world.totals[f"{block.body.origin.kind}s"] += 1


def _update_item(world: Any, task: Task, params: dict[str, Any], answer: Any) -> None:
    machine = params["Key"]["machine"]["S"]
    update = params["UpdateExpression"]
    if params["TableName"] == world.settings.blocks_table:
        _let_go(world, machine, int(params["Key"]["number"]["N"]))
    elif "dumper" in update:
        record = world.observer.machines.get(machine)
        world.truth.settle(record, task.heads)
    elif update.startswith("SET flushed"):
        check_table(world, machine)
        check_counters(world, machine)
    elif update.startswith("SET archived"):
        check_archive(world, machine)


def _wrote(world: Any, task: Task, params: dict[str, Any], answer: Any) -> None:
    machines = {
        each["S"]
        for statement in params["Statements"]
        for each in statement["Parameters"]
        if each.get("S") in world.truth.lives
    }
    for machine in machines:
        check_table(world, machine)


def check_table(world: Any, machine: str) -> None:
    """What the table holds, and over it the blocks that are not flushed, is the state at the head.

    Raises:
        Violation: It is not.
    """
    life = world.truth.life(machine)
    record = world.observer.machines.get(machine)
    flushed = record.flushed if record else 0
    if flushed > life.head:
        raise Violation("law 2, state follows the log", f"{machine} is flushed up to {flushed}")
    after = life.chain[flushed:]
    if any(each.kind != "actions" for each in after):
        return  # the state comes from a snapshot then
    entries = {
        row.key: row.value for row in world.observer.table.scan(machine) if row.value is not None
    }
    for each in after:
        for key, value in each.block.body.changes.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
    wanted = life.chain[-1].entries if life.chain else {}
    if entries != wanted:
        wrong = sorted(
            key for key in entries.keys() | wanted if entries.get(key) != wanted.get(key)
        )
        raise Violation(
            "law 2, state follows the log",
            f"{machine} flushed up to {flushed} of {life.head}: {wrong[0]!r} is "
            f"{entries.get(wrong[0])!r}, must be {wanted.get(wrong[0])!r}",
        )


def check_counters(world: Any, machine: str) -> None:
    """The stored counters hold what stands in blocks, and nothing else.

    Raises:
        Violation: They do not.
    """
    life = world.truth.life(machine)
    record = world.observer.machines.get(machine)
    flushed = record.flushed if record else 0
    rows = {row.key: row for row in world.observer.table.scan(partition_of(machine))}
    for producer in {name for _, name, _ in life.counted} | rows.keys():
        row = rows.get(producer)
        upto = max(flushed, row.block) if row else flushed
        wanted = {n for number, name, n in life.counted if name == producer and number <= upto}
        counter = Counter.decoded(row.value) if row else Counter()
        held = {n for n in range(1, counter.last + 1) if counter.holds(n)}
        if held != wanted or upto > life.head:
            raise Violation(
                "law 1, exactly once",
                f"the counter of {producer} in {machine} holds {sorted(held)}, blocks up to "
                f"{upto} hold {sorted(wanted)}",
            )


def check_archive(world: Any, machine: str) -> None:
    """All blocks up to the watermark stand in the archive.

    Raises:
        Violation: One does not, or another does.
    """
    life = world.truth.life(machine)
    archived = world.observer.machines.get(machine).archived
    if archived > life.head:
        raise Violation("law 7, archived", f"{machine} is archived up to {archived}")
    archive = world.observer.archive
    held: dict[int, str] = {}
    for piece in cover(archive.segments(machine), 1, archived):
        try:
            for block in archive.read(piece.segment):
                if piece.first <= block.number <= piece.last:
                    held[block.number] = block.hash
        except Corrupted as error:
            raise Violation("law 7, archived", str(error)) from error
    for known in life.chain[:archived]:
        if held.get(known.block.number) != known.block.hash:
            raise Violation(
                "law 7, archived",
                f"block {known.block.number} of {machine} is not in the archive, which is said to "
                f"hold all up to {archived}",
            )


def _let_go(world: Any, machine: str, number: int) -> None:
    """A block was marked for deletion."""
    world.totals["prunes"] += 1
    record = world.observer.machines.get(machine)
    life = world.truth.life(machine)
    if number > record.archived:
        raise Violation("law 7, nothing is pruned too soon", f"{number} of {machine}: archived")
    if number > record.flushed:
        raise Violation("law 7, nothing is pruned too soon", f"{number} of {machine}: not flushed")
    if number >= life.head:
        raise Violation("law 7, nothing is pruned too soon", f"{number} of {machine} is the head")
    if (machine, record.archived) not in world.archives:  # blocks are let go one by one
        check_archive(world, machine)
        world.archives.add((machine, record.archived))
    newest = max(world.observer.snapshots.numbers(machine), default=0)
    if not number <= newest:
        raise Violation(
            "law 7, nothing is pruned too soon", f"{number} of {machine}: no snapshot above"
        )
    if record.verified < number:
        raise Violation(
            "law 7, nothing is pruned too soon", f"{number} of {machine}: no snapshot is verified"
        )


def _put_object(world: Any, task: Task, params: dict[str, Any], answer: Any) -> None:
    parts = params["Key"].split("/")
    if len(parts) == 4 and parts[2] == "snapshots":
        world.totals["snapshots"] += 1
        check_snapshot(world, parts[1], int(parts[3].removesuffix(".json")))


def check_snapshot(world: Any, machine: str, number: int) -> None:
    """A snapshot holds the state of its block, and is one that may be there.

    Raises:
        Violation: It does not, or is not.
    """
    life = world.truth.life(machine)
    if number > life.head:
        raise Violation("law 4, snapshots", f"{machine} has no block {number}")
    if not world.truth.may_have(machine, number):
        raise Violation("law 4, snapshots on exact multiples", f"{number} of {machine} is not due")
    known = life.chain[number - 1]
    try:
        manifest = world.observer.snapshots.get(machine, number)
        entries = dict(world.observer.snapshots.entries(manifest)) if manifest else {}
    except Corrupted as error:
        raise Violation("law 4, snapshots", f"{number} of {machine}: {error}") from error
    if manifest is None or manifest.hash != known.block.hash:
        raise Violation("law 4, snapshots", f"{number} of {machine} is of another block")
    if entries != known.entries:
        raise Violation("law 4, snapshots", f"{number} of {machine} holds another state")


_WATCHED = {
    "PutItem": _put_item,
    "UpdateItem": _update_item,
    "BatchExecuteStatement": _wrote,
    "PutObject": _put_object,
}
