"""Lambda: calling functions, and the event source of the executor.

https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from tests.simulation.services.faults import refusal
from tests.simulation.services.hook import Answer, Call, Client, Hook, operation

if TYPE_CHECKING:
    from tests.simulation.services.cloud import Cloud

SWITCHING = 3000
"""Milliseconds that an event source takes to stop or to start; AWS's takes a minute or so."""

Handler = Callable[[Any], Any]


class World(Protocol):
    """What a function asks of the cloud."""

    def now(self) -> int: ...


@dataclass
class Function:
    """A function with an event source.

    Attributes:
        name: Its name.
        world: Time.
        timeout: Seconds that an invocation may take.
        variables: Its environment.
        handler: What `invoke` calls with the payload; what it raises is a function error.
        generation: Rises with each new configuration: processes of older ones are not used again.
    """

    name: str
    world: World
    timeout: int = 60
    variables: dict[str, str] = field(default_factory=dict)
    handler: Handler | None = None
    generation: int = 0
    _on: bool = True
    _switched: int = -SWITCHING

    @property
    def state(self) -> str:
        """The event source's state, as Lambda calls it."""
        done = self.world.now() - self._switched >= SWITCHING
        if self._on:
            return "Enabled" if done else "Enabling"
        return "Disabled" if done else "Disabling"

    @property
    def polled(self) -> bool:
        """Whether the event source may hand over messages: until it is disabled, it does."""
        return self.state != "Disabled"

    @property
    def source(self) -> str:
        """The event source's name."""
        return f"source-of-{self.name}"

    def switch(self, *, on: bool) -> None:
        """Begin to enable or disable the event source."""
        if on is not self._on:
            self._on, self._switched = on, self.world.now()


class Lambda(Client):
    """A boto3 Lambda client of a cloud."""

    client = "lambda_"

    def __init__(self, cloud: Cloud, hook: Hook) -> None:
        super().__init__(hook)
        self._cloud = cloud

    @operation("Invoke", ("FunctionName", "Payload"))
    def invoke(self, call: Call) -> Answer:
        """Call a function and wait for its answer."""
        handler = self._function(call).handler
        if handler is None:
            raise NotImplementedError(f"{call.params['FunctionName']} has no handler")
        answer: Answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
        try:
            content = handler(json.loads(call.params["Payload"]))
        except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
            content = {"errorMessage": str(error), "errorType": type(error).__name__}
            answer["FunctionError"] = "Unhandled"
        return {**answer, "Payload": BytesIO(json.dumps(content).encode())}

    @operation("ListEventSourceMappings", ("FunctionName",))
    def list_event_source_mappings(self, call: Call) -> Answer:
        """The event sources of a function."""
        return {"EventSourceMappings": [_told(self._function(call))]}

    @operation("GetEventSourceMapping", ("UUID",))
    def get_event_source_mapping(self, call: Call) -> Answer:
        """An event source."""
        return _told(self._source(call))

    @operation("UpdateEventSourceMapping", ("UUID", "Enabled"))
    def update_event_source_mapping(self, call: Call) -> Answer:
        """Enable or disable an event source, unless it is on its way to either."""
        function = self._source(call)
        if function.state not in ("Enabled", "Disabled"):
            raise refusal(
                call.operation,
                "ResourceInUseException",
                "Cannot update the event source mapping because it is in use.",
            )
        function.switch(on=call.params["Enabled"])
        return _told(function)

    @operation("GetFunctionConfiguration", ("FunctionName",))
    def get_function_configuration(self, call: Call) -> Answer:
        """What a function is told."""
        return _configuration(self._function(call))

    @operation("UpdateFunctionConfiguration", ("FunctionName", "Environment"))
    def update_function_configuration(self, call: Call) -> Answer:
        """Tell a function something else: its next invocations run in new processes."""
        function = self._function(call)
        function.variables = dict(call.params["Environment"]["Variables"])
        function.generation += 1
        return _configuration(function)

    def get_waiter(self, name: str) -> _Waiter:
        """The waiter for ``function_updated``."""
        if name != "function_updated":
            raise NotImplementedError(f"waiting for {name}")
        return _Waiter(self)

    def _function(self, call: Call) -> Function:
        function = self._cloud.functions.get(call.params["FunctionName"])
        if function is None:
            name = call.params["FunctionName"]
            raise refusal(
                call.operation, "ResourceNotFoundException", f"Function not found: {name}", 404
            )
        return function

    def _source(self, call: Call) -> Function:
        for function in self._cloud.functions.values():
            if function.source == call.params["UUID"]:
                return function
        raise refusal(
            call.operation,
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
            404,
        )


class _Waiter:
    def __init__(self, client: Lambda) -> None:
        self._client = client

    def wait(self, FunctionName: str, WaiterConfig: dict[str, int]) -> None:  # noqa: N803 - boto3's
        """An update is done at once, so the first look finds it."""
        self._client.get_function_configuration(FunctionName=FunctionName)


def _told(function: Function) -> Answer:
    return {"UUID": function.source, "State": function.state}


def _configuration(function: Function) -> Answer:
    return {
        "FunctionName": function.name,
        "Timeout": function.timeout,
        "Environment": {"Variables": dict(function.variables)},
        "LastUpdateStatus": "Successful",
    }
