"""The laws, held against everything that is stored when a run has come to rest."""

from __future__ import annotations

from blockfold.bootstrap import reader, verifier
from blockfold.domain.errors import BlockfoldError
from tests.simulation.effects import (
    check_archive,
    check_counters,
    check_snapshot,
    check_table,
)
from tests.simulation.story import Violation
from tests.simulation.world import World

SAMPLES = 3
"""Blocks of the past that are read of each machine."""


def check_laws(world: World) -> None:
    """Hold all laws.

    Raises:
        Violation: One does not hold.
    """
    for machine, life in world.truth.lives.items():
        if life.message < len(life.accepted):
            left = life.accepted[life.message].id
            raise Violation("law 1, nothing is lost", f"{left} of {machine} is in no block")
        if not life.head:
            continue
        try:
            _check_machine(world, machine)
        except BlockfoldError as error:
            raise Violation("law 6, any block can be read", f"{machine}: {error}") from error


def _check_machine(world: World, machine: str) -> None:
    life, look = world.truth.life(machine), world.observer
    chain = [each.block.hash for each in life.chain]
    if [block.hash for block in look.archived_log.read(machine, 1)] != chain:
        raise Violation("law 5, history is never rewritten", f"the log of {machine} is another")
    record = look.machines.get(machine)
    assert record is not None
    if record.flushed != life.head:
        raise Violation(
            "law 2, state follows the log",
            f"{machine} is flushed up to {record.flushed} of {life.head} when all is done",
        )
    check_table(world, machine)
    check_counters(world, machine)
    rows = {row.key: row.value for row in look.table.scan(machine) if row.value is not None}
    if rows != life.chain[-1].entries:
        raise Violation("law 2, state follows the log", f"the table of {machine}")
    if record.archived != life.head:
        raise Violation("law 7, archived", f"{machine} up to {record.archived} of {life.head}")
    check_archive(world, machine)
    taken = look.snapshots.numbers(machine)
    for number in taken:
        check_snapshot(world, machine, number)
    missing = [each for each in world.truth.due(machine) if each not in taken]
    if missing := [each for each in missing if each > record.thinned]:
        raise Violation("law 4, snapshots on exact multiples", f"{missing} of {machine} missing")
    verification = verifier(look).verify(machine)
    if not verification.ok:
        raise Violation("law 2, verify", f"{machine}: {verification.findings}")
    view = reader(look).state(machine)
    if (view.number, view.entries) != (life.head, life.chain[-1].entries):
        raise Violation("readers", f"{machine} is read at {view.number}")
    for number in world.random.sample(range(1, life.head + 1), min(SAMPLES, life.head)):
        entries = reader(look).state_at(machine, number).entries
        if entries != life.chain[number - 1].entries:
            raise Violation("law 6, any block can be read", f"block {number} of {machine}")
