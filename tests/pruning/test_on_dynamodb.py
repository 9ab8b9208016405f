"""The pruner on real adapters: the emulator's table, bucket and register."""

from __future__ import annotations

import pytest

from blockfold.adapters.system import SystemClock
from blockfold.application.dump import Dumper
from blockfold.application.prune import Pruner
from blockfold.bootstrap import Adapters, pruner
from blockfold.domain.digest import digest_of
from blockfold.domain.retention import Retention, Thin
from tests.contracts import resources
from tests.contracts.samples import chain, new_machine
from tests.emulator import BareEmulator
from tests.properties.histories import NEVER

BLOCKS = 24
LARGE = 12_000
"""Bytes of a body that goes to the bucket."""


@pytest.fixture(scope="module")
def adapters(emulator: BareEmulator) -> Adapters:
    clients = resources.clients_of(emulator)
    return Adapters(resources.make(clients), clients)


@pytest.fixture
def machine(adapters: Adapters) -> str:
    """Blocks with inline and with large bodies, a snapshot at every sixth, all archived."""
    machine = new_machine()
    adapters.machines.register(machine)
    blocks = [*chain(machine, BLOCKS, LARGE)]
    for block in blocks:
        adapters.log.append(block)
    adapters.archive.write(blocks)
    for name in ("flushed", "archived"):
        adapters.machines.raise_watermark(machine, name, BLOCKS)
    dumper = Dumper(adapters.log, adapters.machines, adapters.snapshots, SystemClock())
    for number in range(6, BLOCKS + 1, 6):
        dumper.dump(machine, number)
    return machine


def marked(adapters: Adapters, machine: str) -> dict[int, int]:
    """When blocks expire, seconds since 1970 UTC."""
    items = adapters.clients.dynamodb.query(
        TableName=adapters.settings.blocks_table,
        KeyConditionExpression="machine = :machine",
        ExpressionAttributeValues={":machine": {"S": machine}},
    )["Items"]
    return {
        int(item["number"]["N"]): int(item["expires"]["N"]) for item in items if "expires" in item
    }


def expire(adapters: Adapters, machine: str) -> None:
    """What DynamoDB does a day later or more; the emulator does not."""
    for number in marked(adapters, machine):
        adapters.clients.dynamodb.delete_item(
            TableName=adapters.settings.blocks_table,
            Key={"machine": {"S": machine}, "number": {"N": str(number)}},
        )


def test_what_goes_and_what_stays_readable(adapters: Adapters, machine: str) -> None:
    now = SystemClock().now() // 1000
    own: Pruner = pruner(adapters)
    kept = Retention(snapshots=1, thin=(Thin(1, 1),), blocks=12)
    assert own.set_retention(machine, kept).record.retention == kept
    own.set_retention(machine, Retention(snapshots=1, blocks=12))
    plan = own.plan(machine)
    assert (plan.snapshots, plan.blocks.count, plan.proof) == ((6, 12, 18), 12, 24)
    done = own.carry_out(plan, deadline=NEVER)
    assert (done.snapshots, done.blocks.last, done.notes) == ((6, 12, 18), 12, ())
    expires = marked(adapters, machine)
    assert [*expires] == [*range(1, 13)]
    assert all(now + 86_400 <= each <= now + 86_500 for each in expires.values())
    assert adapters.snapshots.numbers(machine) == [24]
    again = own.prune(machine, deadline=NEVER)
    assert again.empty
    expire(adapters, machine)
    assert [block.number for block in adapters.log.read(machine, 1)] == [*range(13, 25)]
    whole = [*adapters.archived_log.read(machine, 1)]
    assert [block.hash for block in whole] == [block.hash for block in chain(machine, 24, LARGE)]
    manifest = adapters.snapshots.get(machine, 24)
    assert manifest is not None
    assert manifest.digest == digest_of(whole[-1].total)
    record = adapters.machines.get(machine)
    assert record is not None
    assert (record.pruned, record.verified, record.thinned) == (12, 24, 18)


def test_marking_again_is_no_error_and_makes_no_blocks(adapters: Adapters, machine: str) -> None:
    own = pruner(adapters)
    own.set_retention(machine, Retention(blocks=12))
    plan = own.plan(machine)
    own.carry_out(plan, deadline=NEVER)
    expire(adapters, machine)
    own.carry_out(plan, deadline=NEVER)
    assert marked(adapters, machine) == {}
    assert len([*adapters.log.read(machine, 1)]) == 12
