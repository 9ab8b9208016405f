"""The restore workflow, walked as Step Functions would, with the real function in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from blockfold.application import catch_up
from blockfold.application.restore import Target
from tests.infra.templates import Template, logical_id, of_type
from tests.lambdas.conftest import LambdaContext
from tests.lambdas.handlers import imported
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

restorer = imported("restorer")


@pytest.fixture
def definition(dev: Template) -> dict[str, Any]:
    (workflow,) = of_type(dev, "AWS::StepFunctions::StateMachine")
    parts = workflow["Properties"]["DefinitionString"]["Fn::Join"]
    function = {"Fn::GetAtt": [logical_id(dev, "RestoreFunctionName"), "Arn"]}
    text = parts[0].join("RESTORER" if part == function else part for part in parts[1])
    found: dict[str, Any] = json.loads(text)
    return found


def tasks(states: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in states.values():
        if state["Type"] == "Task":
            yield state
        if state["Type"] == "Map":
            yield from tasks(state["ItemProcessor"]["States"])


def walk(definition: dict[str, Any], given: Any, visited: list[str]) -> Any:
    """What the machine does with an input; each call has no time for more than a few keys."""
    name, states = definition["StartAt"], definition["States"]
    while True:
        state = states[name]
        visited.append(name)
        if state["Type"] == "Succeed":
            return given
        if state["Type"] == "Choice":
            (choice,) = state["Choices"]
            assert choice["Variable"] == "$.done"
            taken = given["done"] is choice["BooleanEquals"]
            name = choice["Next"] if taken else state["Default"]
            continue
        if state["Type"] == "Map":
            assert state["ItemsPath"] == "$.ranges"
            each = [walk(state["ItemProcessor"], item, visited) for item in given["ranges"]]
            given = {**given, state["ResultPath"].removeprefix("$."): each}
        else:
            assert state["Resource"] == "RESTORER"
            event = given
            if "Parameters" in state:
                event = {**state["Parameters"], "machine": given["machine"]}
                assert event.pop("machine.$") == "$.machine"
            given = json.loads(json.dumps(restorer.handler(event, LambdaContext(900_000))))
        name = state["Next"]


def test_it_brings_the_table_up_call_by_call(
    definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catch_up, "CHUNK", 1)
    stack = Stack()
    stack.grow(9)
    stack.lag({"do": "set", "key": "late", "value": 1})
    stack.restorer().carry_out(Target(MACHINE, block=3), deadline=NEVER, begin_only=True)
    times = iter(range(10**6))
    monkeypatch.setattr(restorer, "_restorer", lambda: _hasty(stack, times))
    visited: list[str] = []
    walk(definition, {"machine": MACHINE}, visited)
    assert visited.count("Fill") > visited.count("Filled") > 1
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()
    again: list[str] = []
    walk(definition, {"machine": MACHINE}, again)
    assert "Fill" not in again


def _hasty(stack: Stack, times: Iterator[int]) -> Any:
    """Every second fill has no time beyond its first key."""
    found = stack.restorer()
    real = found.fill

    def fill(machine: str, number: int, span: Any, *, deadline: float) -> Any:
        return real(machine, number, span, deadline=-1.0 if next(times) % 2 == 0 else deadline)

    class Hasty:
        def __getattr__(self, name: str) -> Any:
            return fill if name == "fill" else getattr(found, name)

    return Hasty()


def test_every_call_is_repeated_unless_repeating_cannot_help(definition: dict[str, Any]) -> None:
    found = list(tasks(definition["States"]))
    assert len(found) == 3
    for task in found:
        permanent, rest = task["Retry"]
        assert (permanent["MaxAttempts"], rest["ErrorEquals"]) == (0, ["States.ALL"])
        assert "Corrupted" in permanent["ErrorEquals"]
        assert rest["MaxAttempts"] > 0


def test_as_many_functions_work_as_there_are_ranges(definition: dict[str, Any]) -> None:
    assert definition["States"]["Ranges"]["MaxConcurrency"] == restorer.RANGES
