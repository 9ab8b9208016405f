"""What a restore reaches beside bare requests, and what memory it takes. ``make bench-restore``.

A snapshot in the emulator's S3 is restored into an empty State table of the same emulator, by the
code that the functions run. Beside it, in turns, the bare ``BatchExecuteStatement`` calls with the
same statements, made up beforehand. Entries have about 120 bytes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import boto3
import msgspec

from bench.snapshots import World
from blockfold.adapters.clients import Clients
from blockfold.adapters.dynamodb import DynamoStateTable
from blockfold.adapters.folder import FolderObjectStore
from blockfold.adapters.memory import MemoryBlockLog, MemoryMachines, MemoryStateTable
from blockfold.adapters.s3 import S3ObjectStore
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.adapters.system import SystemClock
from blockfold.application.restore import Restorer, Target
from blockfold.domain.block import Block, Header
from blockfold.domain.canonical import Canonical
from blockfold.domain.schedule import OFF
from blockfold.local import emulator as process
from blockfold.local import interpreter
from blockfold.local.clients import ACCESS_KEY, SECRET_KEY
from blockfold.local.folder import DataFolder
from blockfold.local.network import REGION, free_port
from blockfold.ports import BlockLog, ObjectStore, Row, StateTable, Write

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENTRIES = 200_000
ROUNDS = 20
MANY = 1_000_000
DIFFERENT = 1_000
NEVER = float("inf")
OUT = sys.stdout.write


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


@contextmanager
def emulated(folder: Path) -> Iterator[str]:
    """The endpoint of an emulator that keeps its data in a folder, killed at the end."""
    data = DataFolder(folder.resolve())
    found = process.start(interpreter.ensure(_say), data, port=free_port())
    try:
        yield found.endpoint
    finally:
        process.destroy(found)


def clients_of(endpoint: str) -> Clients:
    """AWS clients that reach an emulator."""
    session = boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
    )
    return Clients(session, endpoint)


def new_table(client: DynamoDBClient, name: str) -> None:
    """An empty State table."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "machine", "KeyType": "HASH"},
            {"AttributeName": "key", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "machine", "AttributeType": "S"},
            {"AttributeName": "key", "AttributeType": "S"},
        ],
    )


class Past:
    """A machine with one block, whose state stands in a snapshot."""

    def __init__(self, folder: Path, entries: int) -> None:
        self.world = World(folder)
        self.entries = self.world.change(list(range(entries)))
        self.log: BlockLog = MemoryBlockLog()
        self.log.append(self.world.block)

    def save(self, objects: ObjectStore) -> None:
        """Store the snapshot."""
        ObjectSnapshots(objects).save(self.world.block, self.entries.items())

    def restorer(self, objects: ObjectStore, table: StateTable) -> Restorer:
        """What brings it back, as a function has it."""
        return restorer_of(self.log, objects, table)


def restorer_of(log: BlockLog, objects: ObjectStore, table: StateTable) -> Restorer:
    """A restorer over some stores, with a register in memory."""
    return Restorer(
        log=log,
        table=table,
        machines=MemoryMachines(),
        snapshots=ObjectSnapshots(objects),
        clock=SystemClock(),
        schedule=OFF,
    )


def bare(clients: Clients, name: str, machine: str, entries: dict[str, Canonical]) -> float:
    """Seconds that the bare requests take for the same rows."""
    table = DynamoStateTable(clients.dynamodb, name, SystemClock())
    todo = ((Write(key, value, 1, new=True), True) for key, value in entries.items())
    seconds = 0.0
    for chunk in table._requests(machine, todo):  # noqa: SLF001 - the same statements
        statements = [statement for _, _, statement in chunk]
        begin = time.perf_counter()
        clients.dynamodb.batch_execute_statement(Statements=statements)
        seconds += time.perf_counter() - begin
    return seconds


def ratio(folder: Path) -> None:
    """Restore and bare requests in turns, each into a machine of its own."""
    with emulated(folder / "emulator") as endpoint:
        clients = clients_of(endpoint)
        clients.s3.create_bucket(Bucket="bench")
        new_table(clients.dynamodb, "state")
        objects = S3ObjectStore(lambda: clients.s3, "bench")
        past = Past(folder / "past", ENTRIES // ROUNDS)
        past.save(objects)
        restorer = past.restorer(
            objects, DynamoStateTable(clients.dynamodb, "state", SystemClock())
        )
        ratios: list[float] = []
        bares: list[float] = []
        restores: list[float] = []
        for round_ in range(ROUNDS):
            alone = bare(clients, "state", f"bare{round_}", past.entries)
            begin = time.perf_counter()
            target = Target("bench", block=1, fork=f"copy{round_}")
            done = restorer.carry_out(target, deadline=NEVER)
            taken = time.perf_counter() - begin
            assert done.done
            assert done.written == len(past.entries)
            ratios.append(alone / taken)
            bares.append(alone)
            restores.append(taken)
        OUT(
            f"  {ROUNDS} x {len(past.entries):,} entries: bare {ENTRIES / sum(bares):,.0f}/s, "
            f"restored {ENTRIES / sum(restores):,.0f}/s\n"
            f"  ratio {median(ratios):.2f} in the median ({min(ratios):.2f} to {max(ratios):.2f})\n"
        )
        begin, cpu = time.perf_counter(), time.process_time()
        done = restorer.carry_out(Target("copy0", block=1), deadline=NEVER)
        taken, busy = time.perf_counter() - begin, time.process_time() - cpu
        assert (done.written, done.deleted) == (0, 0)
        OUT(
            f"  with nothing to write: {len(past.entries) / taken:,.0f} keys/s, of which the "
            f"emulator takes most: {len(past.entries) / busy:,.0f} by the restore's own CPU time\n"
        )


class Sink(DynamoStateTable):
    """A State table that makes up its statements and sends none: what is left is the restore."""

    def __init__(self, client: DynamoDBClient) -> None:
        super().__init__(client, "sink", SystemClock())
        self.written = 0

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:  # noqa: ARG002
        """See `StateTable.between`: it is empty."""
        return iter(())

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`."""
        for chunk in self._requests(machine, [(write, write.new) for write in writes]):
            self.written += len(chunk)


class Counting(MemoryStateTable):
    """A State table in memory that counts what is written and read."""

    def __init__(self) -> None:
        super().__init__()
        self.written = self.read = 0

    def between(self, machine: str, after: str, upto: str) -> Iterator[Row]:
        """See `StateTable.between`."""
        for row in super().between(machine, after, upto):
            self.read += 1
            yield row

    def write(self, machine: str, writes: Sequence[Write]) -> None:
        """See `StateTable.write`."""
        self.written += len(writes)
        super().write(machine, writes)


def memory(folder: Path, entries: int) -> None:
    """Peak memory of a process that restores a state into an empty table."""
    past = Past(folder, entries)
    past.save(FolderObjectStore(folder))
    block = past.world.block
    (folder / "block.json").write_bytes(
        msgspec.json.encode([block.header, block.payload.decode(), f"{block.total:x}"])
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.restore", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    OUT(f"  {entries:>9,} entries: {done.stdout}\n")


def alone(folder: Path) -> None:
    """In a process of its own: restore, and print the peak and the speed.

    From ``VmHWM``: ``ru_maxrss`` would count what the parent had when it forked.
    """
    header, payload, total = msgspec.json.decode(
        (folder / "block.json").read_bytes(), type=tuple[Header, str, str]
    )
    block = Block(header, payload.encode(), int(total, 16))
    log, sink = MemoryBlockLog(), Sink(clients_of("http://127.0.0.1:9").dynamodb)
    log.append(block)
    restorer = restorer_of(log, FolderObjectStore(folder), sink)
    begin = time.perf_counter()
    done = restorer.carry_out(Target("bench", block=1, fork="copy"), deadline=NEVER)
    seconds = time.perf_counter() - begin
    assert done.done
    assert done.written == sink.written == header.keys
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    OUT(f"{int(peak.split()[1]) // 1024} MB, {header.keys / seconds:,.0f}/s")


def in_place(folder: Path) -> None:
    """A million entries of which a thousand differ: what is written and read."""
    past = Past(folder, MANY)
    objects = FolderObjectStore(folder)
    past.save(objects)
    draw = Random(2)  # noqa: S311 - a simulation
    changes = past.world.change(draw.sample(range(MANY), DIFFERENT))
    past.log.append(past.world.block)
    table = Counting()
    now = past.entries | changes
    table.write("bench", [Write(key, value, 2) for key, value in now.items()])
    table.written = 0
    restorer = past.restorer(objects, table)
    restorer.machines.raise_watermark("bench", "flushed", 2)
    begin = time.perf_counter()
    done = restorer.carry_out(Target("bench", block=1), deadline=NEVER)
    seconds = time.perf_counter() - begin
    OUT(
        f"  {MANY:,} entries, {DIFFERENT:,} differ: {done.written:,} written, "
        f"{done.deleted:,} deleted, {table.written:,} rows stored, {table.read:,} read, "
        f"{MANY / seconds:,.0f} keys/s\n"
    )


def main() -> None:
    """Print all figures."""
    OUT("Restore into an empty State table of the emulator\n")
    with TemporaryDirectory() as folder:
        ratio(Path(folder))
    OUT("\nPeak memory of a restore, its process alone\n")
    for entries in (ENTRIES, MANY):
        with TemporaryDirectory() as folder:
            memory(Path(folder), entries)
    OUT("\nIn place\n")
    with TemporaryDirectory() as folder:
        in_place(Path(folder))


if __name__ == "__main__":
    alone(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
