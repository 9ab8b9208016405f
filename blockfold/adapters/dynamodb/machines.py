"""The register of machines in DynamoDB.

Needs ``dynamodb:GetItem`` and ``dynamodb:UpdateItem``; reading many needs
``dynamodb:BatchGetItem``, listing ``dynamodb:Scan``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from blockfold.adapters.aws import code_of, unavailable
from blockfold.adapters.backoff import Backoff
from blockfold.adapters.dynamodb.values import from_attribute, to_attribute
from blockfold.domain.canonical import Json
from blockfold.domain.retention import KEEP_ALL, Retention
from blockfold.domain.schedule import OFF, Schedule, Setting
from blockfold.ports import MachineRecord, Restoring, Watermark

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


KEYS = 100
"""Items that BatchGetItem takes."""


class DynamoMachines:
    """A `Machines` register: one item a machine.

    Args:
        client: A boto3 DynamoDB client.
        table: Name of the Machines table.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def register(self, machine: str, schedule: Schedule = OFF) -> MachineRecord:
        """See `Machines.register`."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}},
                UpdateExpression=(
                    "SET flushed = if_not_exists(flushed, :none), "
                    "revision = if_not_exists(revision, :none), "
                    "dumper = if_not_exists(dumper, :dumper)"
                ),
                ExpressionAttributeValues={":none": {"N": "0"}, ":dumper": _settings(schedule)},
                ReturnValues="ALL_NEW",
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("register", machine, error) from error
        return _record(answer["Attributes"])

    def get(self, machine: str) -> MachineRecord | None:
        """See `Machines.get`."""
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"machine": {"S": machine}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", machine, error) from error
        return _record(answer["Item"]) if "Item" in answer else None

    def get_many(self, machines: Collection[str]) -> dict[str, MachineRecord]:
        """See `Machines.get_many`: a hundred a request."""
        records: dict[str, MachineRecord] = {}
        waiting = iter(dict.fromkeys(machines))
        while chunk := [*islice(waiting, KEYS)]:
            todo: Sequence[Mapping[str, Any]] = [{"machine": {"S": each}} for each in chunk]
            backoff = Backoff(f"could not read {len(machines)} machines in {self._table}")
            while todo:
                try:
                    answer = self._client.batch_get_item(
                        RequestItems={self._table: {"Keys": todo, "ConsistentRead": True}}
                    )
                except (ClientError, BotoCoreError) as error:
                    raise self._failed("read", chunk[0], error) from error
                for item in answer["Responses"].get(self._table, []):
                    record = _record(item)
                    records[record.machine] = record
                left = answer.get("UnprocessedKeys", {}).get(self._table)
                todo = left["Keys"] if left else []
                if todo:
                    backoff.wait("throttled")
        return records

    def raise_watermark(self, machine: str, name: Watermark, number: int) -> None:
        """See `Machines.raise_watermark`."""
        # What was noted of a restore was of the block after the old ``flushed``.
        drop = " REMOVE restoring" if name == "flushed" else ""
        self._update(
            machine,
            f"SET {name} = :number{drop}",
            f"attribute_not_exists({name}) OR {name} < :number",
            {":number": {"N": str(number)}},
        )

    def note_restored(self, machine: str, number: int, start: str, end: str) -> None:
        """See `Machines.note_restored`.

        The span's start stands behind ``>``: DynamoDB knows no empty attribute names.
        """
        name = f">{start}"

        def rise() -> bool:
            return self._update(
                machine,
                "SET restoring.spans.#start = :end",
                "restoring.#number = :number AND (attribute_not_exists(restoring.spans.#start) "
                "OR restoring.spans.#start < :end)",
                {":number": {"N": str(number)}, ":end": {"S": end}},
                {"#start": name, "#number": "number"},
            )

        if rise():
            return
        first: Json = {"number": number, "spans": {name: end}}
        none = "attribute_not_exists(flushed) OR " if number == 1 else ""
        begun = self._update(
            machine,
            "SET restoring = :first",
            f"attribute_not_exists(restoring) AND ({none}flushed = :before)",
            {":first": to_attribute(first), ":before": {"N": str(number - 1)}},
        )
        if not begun:  # somebody else began meanwhile, or it is noted already, or of no use
            rise()

    def note_snapshot(self, machine: str, number: int, time: int) -> None:
        """See `Machines.note_snapshot`."""
        self._update(
            machine,
            "SET newest = :number, noted = :time",
            "attribute_exists(machine) AND (attribute_not_exists(newest) OR newest < :number)",
            {":number": {"N": str(number)}, ":time": {"N": str(time)}},
        )

    def raise_dumped(self, record: MachineRecord, number: int) -> None:
        """See `Machines.raise_dumped`."""
        self._update(
            record.machine,
            "SET dumped = :number",
            f"(attribute_not_exists(dumped) OR dumped < :number) AND {_is('revision', record)}",
            {":number": {"N": str(number)}, ":revision": {"N": str(record.revision)}},
        )

    def set_schedule(self, record: MachineRecord, schedule: Schedule) -> bool:
        """See `Machines.set_schedule`."""
        return self._update(
            record.machine,
            "SET dumper = :dumper, revision = :next",
            f"{_is('revision', record)} AND {_is('dumped', record)}",
            {
                ":dumper": _settings(schedule),
                ":next": {"N": str(record.revision + 1)},
                ":revision": {"N": str(record.revision)},
                ":dumped": {"N": str(record.dumped)},
            },
        )

    def set_retention(self, machine: str, retention: Retention) -> None:
        """See `Machines.set_retention`."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}},
                UpdateExpression="SET retention = :retention ADD revision :one",
                ExpressionAttributeValues={
                    ":retention": _kept(retention),
                    ":one": {"N": "1"},
                },
            )
        except (ClientError, BotoCoreError) as error:
            raise self._failed("update", machine, error) from error

    def put(self, record: MachineRecord) -> None:
        """See `Machines.put`. Needs ``dynamodb:PutItem``."""
        try:
            self._client.put_item(TableName=self._table, Item=record_item(record))
        except (ClientError, BotoCoreError) as error:
            raise self._failed("store", record.machine, error) from error

    def list(self) -> Iterator[MachineRecord]:
        """See `Machines.list`."""
        try:
            for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                yield from map(_record, page["Items"])
        except (ClientError, BotoCoreError) as error:
            raise unavailable(f"could not list the machines in {self._table}", error) from error

    def _update(
        self,
        machine: str,
        update: str,
        condition: str,
        values: dict[str, AttributeValueTypeDef],
        names: dict[str, str] | None = None,
    ) -> bool:
        """Update a record if the condition holds; whether it did."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"machine": {"S": machine}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),  # type: ignore[arg-type]
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise self._failed("update", machine, error) from error
            return False
        return True

    def _failed(self, verb: str, machine: str, error: Exception) -> Exception:
        return unavailable(f"could not {verb} machine {machine!r} in {self._table}", error)


def _is(attribute: str, record: MachineRecord) -> str:
    """The condition that an attribute still is what the record says; absent stands for 0."""
    same = f"{attribute} = :{attribute}"
    if getattr(record, attribute):
        return same
    return f"(attribute_not_exists({attribute}) OR {same})"


def record_item(record: MachineRecord) -> dict[str, AttributeValueTypeDef]:
    """A record as it would stand after the updates that led to it."""
    item: dict[str, AttributeValueTypeDef] = {
        "machine": {"S": record.machine},
        "flushed": {"N": str(record.flushed)},
        "revision": {"N": str(record.revision)},
        "dumper": _settings(record.schedule),
    }
    for name in ("epoch", "dumped", "archived", "verified", "pruned", "thinned", "newest", "noted"):
        if number := getattr(record, name):
            item[name] = {"N": str(number)}
    if record.retention != KEEP_ALL:
        item["retention"] = _kept(record.retention)
    return item


def _record(item: dict[str, AttributeValueTypeDef]) -> MachineRecord:
    settings = from_attribute(item["dumper"]) if "dumper" in item else []
    schedule = Schedule(msgspec.convert(settings, tuple[Setting, ...])) if settings else OFF
    retention = (
        msgspec.convert(from_attribute(item["retention"]), Retention)
        if "retention" in item
        else KEEP_ALL
    )
    return MachineRecord(
        item["machine"]["S"],
        epoch=_number(item, "epoch"),
        flushed=_number(item, "flushed"),
        dumped=_number(item, "dumped"),
        archived=_number(item, "archived"),
        verified=_number(item, "verified"),
        pruned=_number(item, "pruned"),
        thinned=_number(item, "thinned"),
        newest=_number(item, "newest"),
        noted=_number(item, "noted"),
        schedule=schedule,
        retention=retention,
        revision=_number(item, "revision"),
        restoring=_restoring(item),
    )


def _restoring(item: dict[str, AttributeValueTypeDef]) -> Restoring | None:
    if "restoring" not in item:
        return None
    stored = msgspec.convert(from_attribute(item["restoring"]), _Restoring)
    spans = sorted((name.removeprefix(">"), end) for name, end in stored.spans.items())
    return Restoring(stored.number, tuple(spans))


class _Restoring(msgspec.Struct):
    number: int
    spans: dict[str, str]


def _kept(retention: Retention) -> AttributeValueTypeDef:
    # Through JSON: `to_builtins` would leave the tuple of tiers a tuple.
    return to_attribute(msgspec.json.decode(msgspec.json.encode(retention)))


def _settings(schedule: Schedule) -> AttributeValueTypeDef:
    return to_attribute(msgspec.to_builtins(list(schedule.settings)))


def _number(item: dict[str, AttributeValueTypeDef], attribute: str) -> int:
    return int(item[attribute]["N"]) if attribute in item else 0
