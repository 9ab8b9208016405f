"""Holding actions back in their queue, by the executor's event source.

Needs ``lambda:ListEventSourceMappings``, ``UpdateEventSourceMapping``, ``GetEventSourceMapping``,
``GetFunctionConfiguration`` and ``UpdateFunctionConfiguration`` on the executor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from blockfold.adapters.aws import unavailable
from blockfold.domain.errors import Misconfigured, Unavailable
from blockfold.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

FORGOTTEN = "BLOCKFOLD_FORGOTTEN"
"""A variable of the executor that nobody reads: a new value gives it new processes."""

POLL_SECONDS = 1.0
POLLS = 180
"""Lambda takes a minute or so to stop polling a queue."""


class LambdaIntake:
    """An `Intake` that switches an executor's event source off and on.

    Args:
        client: Gives a boto3 Lambda client; first called at the first call.
        function: The executor's name.
        clock: Time.
        drain: Whether to wait for invocations that are still running, for as long as they may;
            an emulator that ends them at once needs no wait.
    """

    def __init__(
        self,
        client: Callable[[], LambdaClient],
        function: str,
        clock: Clock,
        *,
        drain: bool = True,
    ) -> None:
        self._client = client
        self._function = function
        self._clock = clock
        self._drain = drain

    def pause(self) -> None:
        """See `Intake.pause`."""
        self._switch(on=False)
        if self._drain:
            self._clock.sleep(float(self._configuration()["Timeout"]))
        self._renew(self.environment)

    def resume(self) -> None:
        """See `Intake.resume`."""
        self._switch(on=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the executor is told, by variable."""
        return dict(self._configuration().get("Environment", {}).get("Variables", {}))

    def _configuration(self) -> FunctionConfigurationResponseTypeDef:
        try:
            return self._client().get_function_configuration(FunctionName=self._function)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("look up", error) from error

    def _switch(self, *, on: bool) -> None:
        wanted = "Enabled" if on else "Disabled"
        client = self._client()
        try:
            mappings = client.list_event_source_mappings(FunctionName=self._function)
            names = [each["UUID"] for each in mappings["EventSourceMappings"]]
            for name in names:
                self._await(name, "Enabled", "Disabled")  # Lambda refuses it on its way to either
                client.update_event_source_mapping(UUID=name, Enabled=on)
            for name in names:
                self._await(name, wanted)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("switch the event source of", error) from error
        if not names:
            raise Misconfigured(
                f"{self._function} has no event source", hint="deploy the stack again"
            )

    def _await(self, name: str, *states: str) -> None:
        """Wait until an event source is in one of some states."""
        for _ in range(POLLS):
            if self._client().get_event_source_mapping(UUID=name)["State"] in states:
                return
            self._clock.sleep(POLL_SECONDS)
        raise Unavailable(
            f"the event source of {self._function} is still not {states[0].lower()}",
            hint="look at it in the Lambda console, then run this again",
        )

    def _renew(self, variables: Mapping[str, str]) -> None:
        """Have the next invocations run in new processes, which know nothing."""
        client = self._client()
        try:
            client.update_function_configuration(
                FunctionName=self._function,
                Environment={"Variables": {**variables, FORGOTTEN: str(self._clock.now())}},
            )
            client.get_waiter("function_updated").wait(
                FunctionName=self._function,
                WaiterConfig={"Delay": int(POLL_SECONDS), "MaxAttempts": POLLS},
            )
        except (ClientError, BotoCoreError, WaiterError) as error:
            raise self._failed("renew", error) from error

    def _failed(self, verb: str, error: Exception) -> Exception:
        return unavailable(f"could not {verb} {self._function}", error)
