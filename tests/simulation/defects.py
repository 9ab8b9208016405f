"""Mistakes that the product does not make: each must be found by the simulation.

Each is a small change of one function, undone afterwards, with a seed that finds it. What the
simulation could not tell from the right product, no run of it has shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import structs

from blockfold.adapters.dynamodb import DynamoBlockLog, DynamoStateTable
from blockfold.adapters.dynamodb.items import to_item
from blockfold.adapters.dynamodb.packing import pack
from blockfold.adapters.snapshots import ObjectSnapshots
from blockfold.application import execute, prune, prune_blocks, prune_snapshots, restore
from blockfold.application.catch_up import _Run
from blockfold.application.collect import Named
from blockfold.application.compact import Compaction, Compactor
from blockfold.application.dump import Dumper
from blockfold.application.execute import Folded
from blockfold.application.history import History
from blockfold.application.read import Reader, StateView
from blockfold.application.tail import Tail
from blockfold.domain import execute as domain_execute
from blockfold.domain import schedule as schedules
from blockfold.domain.block import Block, Body
from blockfold.domain.counters import Counter
from blockfold.domain.errors import BlockConflict, Unavailable
from blockfold.domain.keys import body_key
from blockfold.domain.replay import fold
from blockfold.domain.schedule import Schedule
from blockfold.ports import MachineRecord, Write


@dataclass(frozen=True)
class Defect:
    """A mistake.

    Attributes:
        name: What is wrong.
        changes: What is patched: the object, its attribute, and what stands there instead.
        seed: A seed that finds it.
        within: From any seed on, one of so many finds it.
    """

    name: str
    changes: tuple[tuple[Any, str, Any], ...]
    seed: int = 0
    within: int = 100

    @contextmanager
    def made(self) -> Iterator[None]:
        """The mistake is made meanwhile."""
        with ExitStack() as stack:
            for thing, attribute, value in self.changes:
                stack.enter_context(patch.object(thing, attribute, value))
            yield


# -- the state table ---------------------------------------------------------------------------

_statement = DynamoStateTable._statement


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(str(error)) from error


def _unfenced(self: DynamoStateTable, machine: str, write: Write, insert: bool) -> Any:
    statement = _statement(self, machine, write, insert)
    if not insert:
        statement["Parameters"] = [*statement["Parameters"][:-1], {"N": "999999999"}]
    return statement


_write = DynamoStateTable.write


def _without_tombstones(self: DynamoStateTable, machine: str, writes: Sequence[Write]) -> None:
    for each in writes:
        if each.value is None:
            with _translated():
                self._client.delete_item(
                    TableName=self._table, Key={"machine": {"S": machine}, "key": {"S": each.key}}
                )
    _write(self, machine, [each for each in writes if each.value is not None])


_flush = execute.flush


def _flushed_first(tail: Tail, table: Any, machines: Any, *rest: Any, **named: Any) -> bool:
    machines.raise_watermark(tail.head.machine, "flushed", tail.head.number)
    return _flush(tail, table, machines, *rest, **named)


def _forgetful(self: _Run, pending: dict[str, Write]) -> Iterator[None]:
    pending.clear()
    self._raise_flushed()
    yield from ()


def _log_first(self: Reader, machine: str, **_: Any) -> StateView:
    record, head = self.machines.get(machine), self.head(machine)
    tail = list(self.log.read(machine, (record.flushed if record else 0) + 1, head.number))
    rows = self._rows(machine, None, "")
    entries = {row.key: row.value for row in rows if row.value is not None}
    for block in tail:
        fold(entries, block)
    return StateView(machine, head.number, head.digest, dict(sorted(entries.items())))


def _counters_last(tail: Tail, *rest: Any, **named: Any) -> bool:
    store = tail.counters.store
    with patch.object(tail.counters, "store", lambda *_: None):
        done = _flush(tail, *rest, **named)
    store(tail.flushed, 10**9)
    return done


# -- the log -----------------------------------------------------------------------------------

_open = Tail.__dict__["open"].__func__


def _open_unmarked(cls: type[Tail], *arguments: Any) -> Tail:
    tail: Tail = _open(cls, *arguments)
    tail.head = structs.replace(tail.head, marks=())
    return tail


_append = DynamoBlockLog.append


def _append_anyway(self: DynamoBlockLog, block: Block) -> None:
    try:
        _append(self, block)
    except BlockConflict:
        return


def _append_unconditionally(self: DynamoBlockLog, block: Block) -> None:
    with _translated():
        self._client.put_item(TableName=self._table, Item=to_item(block, pack(block.payload)))


def _append_before_body(self: DynamoBlockLog, block: Block) -> None:
    packed = pack(block.payload)
    if len(packed) <= self._inline:
        _append(self, block)
        return
    bodies, self._bodies = self._bodies, _Later()
    try:
        _append(self, block)
    finally:
        self._bodies = bodies
    bodies.put_new(body_key(block.machine, block.number, block.header.body), packed)


class _Later:
    """Takes objects and stores none."""

    def put_new(self, _key: str, _data: bytes) -> bool:
        return True

    def get(self, _key: str) -> bytes | None:
        return None


_advance = domain_execute.advance


def _advance_wholly(marks: Any, message: Any, _position: int | None) -> Any:
    return _advance(marks, message, None)


_sift = execute.sift


def _sift_copies(*arguments: Any) -> Any:
    sifted = _sift(*arguments)
    return replace(sifted, todo=sifted.left)


def _at_or_below(self: Counter, count: int) -> bool:
    return count <= self.last


_seal = restore._seal


def _seal_unmarked(head: Any, body: Body, *rest: Any) -> Block:
    return _seal(head, structs.replace(body, marks=()), *rest)


# -- snapshots ---------------------------------------------------------------------------------

_save = ObjectSnapshots.save


def _manifest_first(self: ObjectSnapshots, *arguments: Any, **named: Any) -> Any:
    held: list[tuple[str, bytes]] = []
    objects = self._objects
    put = objects.put_new

    def put_new(key: str, data: bytes) -> bool:
        if "/runs/" in key:
            held.append((key, data))
            return True
        stored = put(key, data)
        for each in held:
            put(*each)
        held.clear()
        return stored

    with patch.object(objects, "put_new", put_new):
        return _save(self, *arguments, **named)


_forward = History.forward


def _to_the_head(self: History, delta: Any, _number: int) -> None:
    newest = self.log.head(delta.head.machine)
    _forward(self, delta, newest.number if newest else 0)


_due_between = Schedule.due_between


def _only_the_last(self: Schedule, first: int, last: int) -> Iterator[int]:
    return iter([last] if last in _due_between(self, first, last) else [])


_set = schedules._set


def _set_at_once(schedule: Schedule, head: int, **settings: Any) -> schedules.Change:
    return _set(schedule, max(0, head - 1), **settings)


_dump_save = Dumper._save


def _dumped_first(self: Dumper, delta: Any, most: int | None) -> Any:
    self.machines.raise_dumped(self._record(delta.head.machine), delta.head.number)
    return _dump_save(self, delta, most)


# -- archive and pruning -----------------------------------------------------------------------


def _archived_unseen(self: Compactor, machine: str, **_: Any) -> Compaction:
    head = self.log.head(machine)
    number = head.number if head else 0
    self.machines.raise_watermark(machine, "archived", number)
    return Compaction(machine, number, 0)


_prunable = prune_blocks.prunable


def _beyond_the_archive(log: Any, record: MachineRecord, *rest: Any) -> Any:
    with patch.object(prune_blocks, "gaps", lambda *_: iter(())):
        return _prunable(log, replace(record, archived=10**9), *rest)


def _all_retired(snapshots: Sequence[tuple[int, int]], retention: Any, _now: int) -> list[int]:
    return sorted(number for number, _ in snapshots) if retention.snapshots else []


_look = prune.look


def _look_away(*arguments: Any, **options: Any) -> Named:
    named = _look(*arguments, **options)
    named.runs.clear()
    return named


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _self: value


DEFECTS = (
    Defect(
        "the state fence is dropped",
        ((DynamoStateTable, "_statement", _unfenced),),
        seed=19,
        within=600,
    ),
    Defect(
        "deletions leave no tombstone",
        ((DynamoStateTable, "write", _without_tombstones),),
        seed=639,
        within=1500,
    ),
    Defect("flushed is raised before the writes", ((execute, "flush", _flushed_first),)),
    Defect(
        "a restore forgets the old tail", ((_Run, "_flush", _forgetful),), seed=322, within=1500
    ),
    Defect(
        "a reader takes the log before the rows",
        ((Reader, "state", _log_first),),
        seed=165,
        within=1500,
    ),
    Defect(
        "a cold executor skips the marks",
        ((Tail, "open", classmethod(_open_unmarked)),),
        seed=3,
        within=100,
    ),
    Defect(
        "a lost race is ignored",
        ((DynamoBlockLog, "append", _append_anyway),),
        seed=13,
        within=1500,
    ),
    Defect(
        "the commit has no condition",
        ((DynamoBlockLog, "append", _append_unconditionally),),
        seed=1,
        within=300,
    ),
    Defect("the body comes after its block", ((DynamoBlockLog, "append", _append_before_body),)),
    Defect(
        "half a message counts as done",
        ((domain_execute, "advance", _advance_wholly),),
        seed=1,
        within=100,
    ),
    Defect(
        "a restore block drops the marks",
        ((restore, "_seal", _seal_unmarked),),
        seed=52,
        within=1500,
    ),
    Defect(
        "acknowledged before the commit",
        ((Folded, "again", property(_always([]))),),
        seed=2,
        within=100,
    ),
    Defect(
        "acknowledged while the table is behind",
        ((Folded, "behind", property(_always(False))),),
        seed=37,
        within=1500,
    ),
    Defect(
        "a cached head never expires",
        ((execute, "CACHED_SECONDS", float("inf")),),
        seed=26,
        within=1000,
    ),
    Defect(
        "the manifest is stored before its runs",
        ((ObjectSnapshots, "save", _manifest_first),),
        seed=1,
        within=100,
    ),
    Defect("snapshots are of the head", ((History, "forward", _to_the_head),)),
    Defect(
        "lost events are not made up for",
        ((Schedule, "due_between", _only_the_last),),
        seed=1,
        within=100,
    ),
    Defect(
        "settings hold for the head already",
        ((schedules, "_set", _set_at_once),),
        seed=9,
        within=300,
    ),
    Defect(
        "dumped is raised before the snapshot",
        ((Dumper, "_save", _dumped_first),),
        seed=24,
        within=300,
    ),
    Defect(
        "counters are stored after flushed was raised",
        ((execute, "flush", _counters_last), (Tail, "settled", Tail.reached)),
        seed=4,
    ),
    Defect(
        "a repeat is told by the last count alone",
        ((Counter, "holds", _at_or_below),),
        seed=44,
        within=600,
    ),
    Defect(
        "a copy is executed beside its original",
        ((execute, "sift", _sift_copies),),
        seed=18,
        within=300,
    ),
    Defect("archived is raised unseen", ((Compactor, "compact", _archived_unseen),)),
    Defect(
        "blocks go before they are archived",
        ((prune, "prunable", _beyond_the_archive),),
        seed=117,
        within=600,
    ),
    Defect("the newest block may go", ((prune_blocks, "NEWEST_STAY", 0),), seed=162, within=600),
    Defect(
        "the newest snapshot may go",
        ((prune_snapshots, "retired", _all_retired),),
        seed=26,
        within=300,
    ),
    Defect("runs in use are garbage", ((prune, "look", _look_away),), seed=10, within=300),
)
"""All of them."""
