"""What the simulated services are asked for, counted by AWS's rules from requests and answers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from blockfold.adapters.manual_clock import ManualClock
from blockfold.application.cost import Usage
from blockfold.domain.units import item_bytes, read_units, write_units
from tests.simulation.services import STACK, Call, Cloud, Direct, SimClients

T = TypeVar("T")
Item = dict[str, Any]

UNITS = {"Blocks": "log_units", "State": "state_units", "Machines": "machine_units"}


class Counting(Direct):
    """A hook that counts.

    Attributes:
        usage: What was asked for so far.
    """

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.usage = Usage()
        self._cloud = cloud

    def around(self, call: Call, effect: Callable[[], T]) -> T:
        counted = getattr(self, f"_{call.operation}", self._other)
        usage, answer = counted(call.params, effect)
        self.usage += usage + Usage(calls=1)
        if isinstance(answer, ClientError):
            raise answer
        return answer  # type: ignore[no-any-return]

    def _other(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:
        raise NotImplementedError("what this takes is not known here")

    def _PutItem(self, params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        return self._written(params["TableName"], params["Item"], effect)

    def _UpdateItem(self, params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        return self._written(params["TableName"], params["Key"], effect)

    def _written(self, table: str, named: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:
        before = self._size(table, named)
        answer: Any
        try:
            answer = effect()
        except ClientError as error:
            answer = error
        units = write_units(max(before, self._size(table, named)))
        return Usage(**{UNITS[table]: units}), answer

    def _GetItem(self, params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        answer = effect()
        return Usage(read_units=read_units(item_bytes(answer.get("Item", {})))), answer

    def _Query(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        answer = effect()
        return Usage(read_units=read_units(sum(map(item_bytes, answer["Items"])))), answer

    def _BatchGetItem(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        ((table, wanted),) = _params["RequestItems"].items()
        units = sum(read_units(self._size(table, key)) for key in wanted["Keys"])
        return Usage(read_units=units), effect()

    def _BatchExecuteStatement(  # noqa: N802
        self, params: Item, effect: Callable[[], Any]
    ) -> tuple[Usage, Any]:
        keys = [
            dict(zip(("machine", "key"), _key(each["Statement"], each["Parameters"]), strict=True))
            for each in params["Statements"]
        ]
        before = [self._size("State", key) for key in keys]
        answer = effect()
        after = [self._size("State", key) for key in keys]
        units = sum(write_units(max(sizes)) for sizes in zip(before, after, strict=True))
        return Usage(state_units=units, statements=len(keys)), answer

    def _PutObject(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        return Usage(puts=1), effect()

    def _ListObjectsV2(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        return Usage(puts=1), effect()

    def _GetObject(self, _params: Item, effect: Callable[[], Any]) -> tuple[Usage, Any]:  # noqa: N802
        return Usage(gets=1), effect()

    def _size(self, table: str, named: Item) -> int:
        """Bytes of the item that is there, by what names it."""
        name = STACK_TABLES[table]
        for item in self._cloud.tables[table].items(named["machine"]["S"]):
            if not name or item[name] == named[name]:
                return item_bytes(item)
        return 0


STACK_TABLES = {"Blocks": "number", "State": "key", "Machines": ""}


def _key(statement: str, parameters: list[Item]) -> list[Item]:
    return parameters[:2] if statement.startswith("INSERT") else parameters[-3:-1]


def cloud() -> tuple[Cloud, Counting, SimClients]:
    """A simulated stack, its counting hook, and clients that go through it."""
    made = Cloud(STACK, clock=ManualClock(), random=Random(1))
    hook = Counting(made)
    return made, hook, SimClients(made, hook)
