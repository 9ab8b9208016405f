"""EventBridge: events that are put on a bus, and what its rules pass on.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html. Rules get events at
least once, in no order, at some time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from tests.simulation.services.faults import refusal
from tests.simulation.services.hook import Answer, Call, Client, Hook, PartFailed, operation

if TYPE_CHECKING:
    from tests.simulation.services.cloud import Cloud

Event = dict[str, Any]
Pattern = Mapping[str, Any]

ENTRIES = 10
REQUEST_BYTES = 1024 * 1024

DUE: Pattern = {
    "source": ["blockfold"],
    "detail-type": ["BlockExecuted"],
    "detail": {"snapshot_due": [True]},
}
"""What the stack's rule passes on to the dumper (`infra.bus`)."""


class World(Protocol):
    """What a bus asks of the cloud."""

    @property
    def random(self) -> Random: ...
    def now(self) -> int: ...


class Bus:
    """A bus with its rules.

    Args:
        name: Its name.
        world: Time and randomness.
        rules: Patterns by the rule's name; values are lists of what may stand there.

    Attributes:
        events: Every event that was put on it, in order.
    """

    def __init__(self, name: str, world: World, rules: Mapping[str, Pattern] | None = None) -> None:
        self.name = name
        self.events: list[Event] = []
        self._world = world
        self._rules = {"due": DUE} if rules is None else dict(rules)
        self._pending: dict[str, list[Event]] = {name: [] for name in self._rules}

    def put(self, event: Event) -> None:
        """Take an event in, for each rule that it matches."""
        self.events.append(event)
        for name, pattern in self._rules.items():
            if _matches(event, pattern):
                self._pending[name].append(event)

    def pending(self, rule: str = "due") -> int:
        """How many events a rule has still to pass on."""
        return len(self._pending[rule])

    def take(self, rule: str = "due") -> Delivery | None:
        """Any event that a rule passes on to its function; None if there is nothing."""
        pending = self._pending[rule]
        if not pending:
            return None
        return Delivery(self, rule, pending.pop(self._world.random.randrange(len(pending))))

    def repeat(self, rule: str, event: Event) -> None:
        """Have a rule pass an event on again."""
        self._pending[rule].append(event)


class Delivery:
    """An event that was handed to a rule's function."""

    def __init__(self, bus: Bus, rule: str, event: Event) -> None:
        self._bus = bus
        self._rule = rule
        self._event = event

    @property
    def event(self) -> Event:
        """The event for the function, new each time."""
        copy: Event = json.loads(json.dumps(self._event))
        return copy

    def settle(self, answer: object) -> None:
        """Take the function's answer, or None if it failed or died: then it comes again."""
        if answer is None:
            self._bus.repeat(self._rule, self._event)

    def discard(self) -> None:
        """Give up: there were enough tries."""


class EventBridge(Client):
    """A boto3 EventBridge client of a cloud."""

    client = "events"

    def __init__(self, cloud: Cloud, hook: Hook) -> None:
        super().__init__(hook)
        self._cloud = cloud

    @operation("PutEvents", ("Entries",))
    def put_events(self, call: Call) -> Answer:
        """Put events on the bus, each by itself."""
        entries: Sequence[Event] = call.params["Entries"]
        if not 0 < len(entries) <= ENTRIES:
            raise refusal(
                call.operation,
                "ValidationException",
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: "
                f"Member must have length less than or equal to {ENTRIES}",
            )
        if sum(map(_size, entries)) > REQUEST_BYTES:
            raise refusal(
                call.operation,
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            )
        answers: list[Answer] = []
        for index, entry in enumerate(entries):

            def put(entry: Event = entry) -> Answer:
                return self._put(entry)

            try:
                answers.append(self.hook.part(call, index, put))
            except PartFailed as error:
                answers.append({"ErrorCode": error.code, "ErrorMessage": error.message})
        failed = sum("ErrorCode" in each for each in answers)
        return {"FailedEntryCount": failed, "Entries": answers}

    def _put(self, entry: Event) -> Answer:
        if entry.keys() != {"EventBusName", "Source", "DetailType", "Detail", "Time"}:
            raise NotImplementedError(f"PutEvents of {sorted(entry)}")
        bus = self._cloud.bus
        if entry["EventBusName"] != bus.name:
            raise NotImplementedError(f"the bus {entry['EventBusName']}")
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        id_ = str(UUID(int=self._cloud.random.getrandbits(128), version=4))
        time: datetime = entry["Time"]
        bus.put(
            {
                "version": "0",
                "id": id_,
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": self._cloud.account,
                "time": f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "region": self._cloud.region,
                "resources": [],
                "detail": detail,
            }
        )
        return {"EventId": id_}


def _size(entry: Event) -> int:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-entry-size."""
    return 14 + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _matches(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, Mapping):
        return isinstance(value, dict) and all(
            name in value and _matches(value[name], each) for name, each in pattern.items()
        )
    return any(value == each and type(value) is type(each) for each in pattern)
