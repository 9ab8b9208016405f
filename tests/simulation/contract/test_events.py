"""The contract of EventBridge, as far as the adapters and the dumper's rule use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.simulation.contract.backends import Backend, code_of

TIME = datetime(2026, 11, 22, 1, 2, 3, 456_000, tzinfo=UTC)


def event(backend: Backend, detail: str, **more: str) -> dict[str, Any]:
    return {
        "EventBusName": backend.bus,
        "Source": "blockfold",
        "DetailType": "BlockExecuted",
        "Detail": detail,
        "Time": TIME,
        **more,
    }


@pytest.fixture
def run() -> str:
    """Stands in the details of a test, to know its events by."""
    return uuid4().hex


def due(run: str, number: int, **more: Any) -> str:
    return json.dumps({"run": run, "number": number, "snapshot_due": True, **more})


def heard(backend: Backend, run: str) -> list[Any]:
    return [
        each
        for each in backend.passed_on()
        if isinstance(each["detail"], dict) and each["detail"].get("run") == run
    ]


def test_an_event_is_passed_on_as_it_is(backend: Backend, run: str) -> None:
    answer = backend.events.put_events(Entries=[event(backend, due(run, 1, text="é", n=1.5))])
    assert answer["FailedEntryCount"] == 0
    (entry,) = answer["Entries"]
    (passed,) = heard(backend, run)
    assert passed["id"] == entry["EventId"]
    assert passed["detail"] == json.loads(due(run, 1, text="é", n=1.5))
    assert (passed["source"], passed["detail-type"]) == ("blockfold", "BlockExecuted")
    assert passed["version"] == "0"
    assert passed["resources"] == []
    assert passed.keys() >= {"account", "region"}


def test_an_event_has_the_time_that_it_was_given(backend: Backend, run: str) -> None:
    backend.events.put_events(Entries=[event(backend, due(run, 1))])
    assert [each["time"] for each in heard(backend, run)] == ["2026-11-22T01:02:03Z"]


def test_the_rule_passes_on_what_is_due_and_nothing_else(backend: Backend, run: str) -> None:
    others = [
        event(backend, json.dumps({"run": run, "number": 2, "snapshot_due": False})),
        event(backend, json.dumps({"run": run, "number": 3})),
        event(backend, json.dumps({"run": run, "number": 4, "snapshot_due": "true"})),
        event(backend, json.dumps({"run": run, "number": 5, "snapshot_due": 1})),
        event(backend, due(run, 6), Source="blockfold.events"),
        event(backend, due(run, 7), DetailType="Other"),
    ]
    answer = backend.events.put_events(Entries=[*others, event(backend, due(run, 8))])
    assert answer["FailedEntryCount"] == 0
    assert [each["detail"]["number"] for each in heard(backend, run)] == [8]


@pytest.mark.parametrize(
    "detail",
    ["{", "[1]", '"text"', "1"],
    ids=["half an object", "a list", "a string", "a number"],
)
def test_a_detail_that_is_no_object_fails_alone(backend: Backend, run: str, detail: str) -> None:
    entries = [event(backend, detail), event(backend, due(run, 1))]
    answer = backend.events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "MalformedDetail"
    assert "EventId" not in answer["Entries"][0]
    assert "ErrorCode" not in answer["Entries"][1]
    assert [each["detail"]["number"] for each in heard(backend, run)] == [1]


def test_ten_entries_are_the_most(backend: Backend, run: str) -> None:
    entries = [event(backend, due(run, number)) for number in range(11)]
    code = code_of(lambda: backend.events.put_events(Entries=entries))
    assert code == "ValidationException"
    assert heard(backend, run) == []


def test_a_mebibyte_is_the_most(backend: Backend, run: str) -> None:
    entries = [event(backend, due(run, number, text="x" * 600_000)) for number in range(2)]
    code = code_of(lambda: backend.events.put_events(Entries=entries))
    assert code == "ValidationException"
    assert heard(backend, run) == []
