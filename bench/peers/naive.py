"""The handler that one writes first: an item for each entity, and one for each event.

``python -m bench.peers.naive <configuration>``, see `bench.stopwatch`. For each action: read the
entity, put its new version if nobody else did meanwhile, put the event. These are three requests,
so the process may die between the last two; a transaction would make them one at twice the units.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from bench.peers.trace import trace
from bench.stopwatch import Stopwatch, configuration, report
from blockfold.adapters.dynamodb.values import from_attribute, to_attribute

Value = dict[str, Any]

APPLY: dict[str, Callable[[Value, Value], Value]] = {
    "score": lambda before, args: {
        "points": before.get("points", 0) + args["points"],
        "games": before.get("games", 0) + 1,
    },
    "plant": lambda _, args: {
        "species": args["species"],
        "planted": datetime.now(UTC).isoformat(),
        "litres": 0,
    },
    "water": lambda before, args: {**before, "litres": before["litres"] + args["litres"]},
    "cut": lambda before, _: {**before, "cut": True},
    "put": lambda _, args: args,
    "delete": lambda _before, _args: {"deleted": True},
}
"""What an entity is after an action, by the action's type."""


class Handler:
    """Takes one action after the other.

    Args:
        client: A boto3 DynamoDB client.
        entities: Name of the table of entities.
        events: Name of the table of events.
    """

    def __init__(self, client: Any, entities: str, events: str) -> None:
        self._client = client
        self._entities = entities
        self._events = events

    def handle(self, entity: str, type_: str, args: Value) -> None:
        """Apply an action to its entity, and keep it as an event."""
        key = {"entity": {"S": entity}}
        found = self._client.get_item(TableName=self._entities, Key=key, ConsistentRead=True)
        item = found.get("Item", {})
        version = int(item["version"]["N"]) if item else 0
        before: Any = from_attribute(item["value"]) if item else {}
        numbered = {**key, "version": {"N": str(version + 1)}}
        self._client.put_item(
            TableName=self._entities,
            Item={**numbered, "value": to_attribute(APPLY[type_](before, args))},
            ConditionExpression="attribute_not_exists(entity) OR version = :version",
            ExpressionAttributeValues={":version": {"N": str(version)}},
        )
        event = {"type": {"S": type_}, "args": to_attribute(args)}
        now = {"time": {"S": datetime.now(UTC).isoformat()}}
        self._client.put_item(TableName=self._events, Item={**numbered, **event, **now})


def main() -> None:
    """Run as configured, and print what was measured."""
    asked = configuration()
    client = boto3.client("dynamodb", endpoint_url=asked["endpoint"])
    client.list_tables()  # a connection is open now
    if asked["trace"]:
        trace(client, asked["trace"])
    tables = asked["tables"]
    handler = Handler(client, tables["entities"], tables["events"])
    steps = json.loads(Path(asked["steps"]).read_text())
    watch = Stopwatch()
    with watch.running():
        for step in steps:
            with watch.commit():
                handler.handle(*step)
    last = steps[-1][0]
    key = {"entity": {"S": last}, "version": {"N": str(sum(step[0] == last for step in steps))}}
    untraced = boto3.client("dynamodb", endpoint_url=asked["endpoint"])
    found = untraced.get_item(TableName=tables["events"], Key=key)
    assert "Item" in found, "nothing was lost"
    report(watch.result(len(steps)))


if __name__ == "__main__":
    main()
