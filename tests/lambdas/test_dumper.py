"""The dumper λ: events from the bus, the sweep, and calls by people."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from blockfold.adapters.memory import MemoryChecks
from blockfold.application.checks import Checker
from blockfold.domain.errors import BlockfoldError, NotFound
from blockfold.domain.policy import Policy
from blockfold.domain.schedule import Schedule
from blockfold.ports import Check
from tests.archive.shelves import compactor_of
from tests.lambdas.conftest import Event, LambdaContext, load
from tests.lambdas.handlers import imported, metrics_in
from tests.properties.histories import MACHINE
from tests.snapshots.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("dumper")

LONG = LambdaContext(900_000)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Seven blocks, a snapshot due at every second."""
    stack = Stack(schedule=Schedule.new(2))
    stack.grow(7)
    checks = MemoryChecks()
    monkeypatch.setattr(module, "_dumper", stack.dumper)
    monkeypatch.setattr(module, "_checker", lambda: Checker(stack.dumper(), checks))
    monkeypatch.setattr(module, "_compactor", lambda: compactor_of(stack))
    return stack


def handle(event: Any, context: LambdaContext = LONG) -> Event:
    answer: Event = module.handler(event, context)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def call(name: str, **fields: Any) -> Event:
    return handle({"machine": MACHINE, "command": name, **fields})


# -- events and sweeps -----------------------------------------------------------------------------


def test_an_event_makes_its_snapshot_and_those_missing_before_it(stack: Stack) -> None:
    event = load("bus/block_executed")
    assert handle(event) == {"machine": MACHINE, "snapshots": [2, 4]}
    assert stack.taken() == [2, 4]
    assert handle(event) == {"machine": MACHINE, "snapshots": []}


def test_an_event_of_a_machine_that_is_gone_is_an_error(stack: Stack) -> None:
    event = load("bus/block_executed")
    event["detail"]["machine"] = "gone"
    with pytest.raises(NotFound, match="no machine 'gone'"):
        handle(event)


def test_a_sweep_makes_what_is_missing(stack: Stack) -> None:
    stack.grow(3, "other")
    assert handle({"sweep": True}) == {"swept": {MACHINE: [2, 4, 6], "other": [2]}}
    assert handle({"sweep": True}) == {"swept": {}}


def test_short_of_time_an_event_makes_one(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    short = LambdaContext(int(module.MARGIN_SECONDS * 1000) - 1)
    assert handle({"sweep": True}, short) == {"swept": {}}
    assert handle(load("bus/block_executed"), short)["snapshots"] == [2]
    assert handle(load("bus/block_executed"), short)["snapshots"] == [4]


def test_metrics_count_snapshots(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    handle(load("bus/block_executed"))
    handle({"sweep": True})
    call("status")
    found = metrics_in(capsys.readouterr().out)
    assert found == {"Snapshots": 2, "Swept": 1, "Commands": 1}


# -- checks ----------------------------------------------------------------------------------------


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> MemoryChecks:
    """Another machine of three blocks, and a policy for both; gives where checks are put off to."""
    stack.dumper().set_policy(MACHINE, quiet=30)
    stack.schedule = Schedule.new(None, Policy(quiet=30))
    stack.grow(3, "other")
    stack.grow(2)
    checks = MemoryChecks()
    monkeypatch.setattr(module, "_checker", lambda: Checker(stack.dumper(), checks))
    return checks


def failures(answer: Event) -> list[str]:
    assert set(answer) == {"batchItemFailures"}
    assert all(set(each) == {"itemIdentifier"} for each in answer["batchItemFailures"])
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def records(*bodies: str) -> Event:
    (record, *_) = load("checks/two_machines")["Records"]
    found = [{**record, "messageId": str(at), "body": body} for at, body in enumerate(bodies)]
    return {"Records": found}


def test_checks_make_snapshots_of_heads_after_silence(
    stack: Stack, checks: MemoryChecks, capsys: pytest.CaptureFixture[str]
) -> None:
    event = load("checks/two_machines")  # block 7 of one is not its head, block 3 of the other is
    assert failures(handle(event)) == []
    assert (stack.taken(), stack.taken("other")) == ([], [3])
    assert metrics_in(capsys.readouterr().out) == {"Checked": 3, "Snapshots": 1}
    event["Records"][2]["body"] = event["Records"][2]["body"].replace("7", "9")
    assert failures(handle(event)) == []
    assert (stack.taken(), stack.taken("other")) == ([9], [3])
    assert failures(handle(event)) == []
    assert (stack.taken(), checks.waiting) == ([9], [])


def test_of_several_checks_of_a_machine_the_one_that_knows_most_counts(
    stack: Stack, checks: MemoryChecks
) -> None:
    bodies = [
        '{"machine":"other","number":3,"seconds":10,"waited":0}',
        '{"machine":"other","number":3,"seconds":10,"waited":10}',
        '{"machine":"other","number":2,"seconds":900,"waited":0}',
    ]
    assert failures(handle(records(*bodies))) == []
    assert checks.waiting == [Check("other", 3, 10, waited=20, again=1)]


def test_a_check_that_cannot_be_read_or_done_is_delivered_again_and_no_other(
    stack: Stack, checks: MemoryChecks, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.lose_block(4)
    bodies = [
        "{",
        f'{{"machine":"{MACHINE}","number":9,"seconds":30}}',
        '{"machine":"other","number":3,"seconds":30}',
        '{"machine":"gone","number":3,"seconds":30}',
    ]
    assert failures(handle(records(*bodies))) == ["0", "1"]
    assert stack.taken("other") == [3]
    assert metrics_in(capsys.readouterr().out) == {"Checked": 4, "Snapshots": 1, "CheckErrors": 2}


def test_short_of_time_checks_are_delivered_again(
    stack: Stack, checks: MemoryChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0.0))
    event = load("checks/two_machines")
    short = LambdaContext(int(module.MARGIN_SECONDS * 1000) - 1)
    assert failures(handle(event, short)) == [
        each["messageId"] for each in (event["Records"][2], event["Records"][1])
    ]
    assert stack.taken("other") == []


def test_a_sweep_makes_what_policies_call_for(stack: Stack, checks: MemoryChecks) -> None:
    assert handle({"sweep": True}) == {"swept": {MACHINE: [2, 4, 6, 8]}}
    stack.clock.milliseconds += 30_000
    assert handle({"sweep": True}) == {"swept": {MACHINE: [9], "other": [3]}}
    assert handle({"sweep": True}) == {"swept": {}}


def test_trouble_with_due_snapshots_does_not_keep_a_sweep_from_policies(
    stack: Stack, checks: MemoryChecks
) -> None:
    stack.dumper().make_due(MACHINE, 2, deadline=1e9)
    stack.lose_block(3)
    stack.clock.milliseconds += 30_000
    with pytest.raises(BlockfoldError, match=f"machine '{MACHINE}'"):
        handle({"sweep": True})
    assert stack.taken("other") == [3]


# -- calls -----------------------------------------------------------------------------------------


def test_the_answers_of_the_contract(stack: Stack) -> None:
    common = {"machine": MACHINE, "last_snapshot": None}
    on = {**common, "running": True, "count": 2, "next_due": 8}
    off = {**common, "running": False, "count": 2, "next_due": None}
    assert call("status") == {**on, "changed": False}
    assert call("start") == {**on, "changed": False}
    assert call("stop") == {**off, "changed": True}
    assert call("stop") == {**off, "changed": False}
    assert call("start") == {**on, "changed": True}
    assert call("set_count", count=5) == {**on, "count": 5, "next_due": 10, "changed": True}
    assert call("set_count", count=None) == {**off, "count": None, "changed": True}
    refused = call("start")
    assert refused.pop("reason") == "no count is set: call set_count first"
    assert refused == {**off, "count": None, "changed": False}


@pytest.mark.parametrize("count", [0, -2, 2.5, "5", True, [1], {}])
def test_a_count_that_is_none_is_answered_with_a_reason(stack: Stack, count: Any) -> None:
    before = stack.contents()
    answer = call("set_count", count=count)
    assert answer["changed"] is False
    assert "count must be a whole number" in answer["reason"]
    assert (answer["running"], answer["count"]) == (True, 2)
    assert stack.contents() == before


def test_dump_makes_a_snapshot_of_now_or_of_a_past_block(stack: Stack) -> None:
    assert call("dump")["last_snapshot"] == 7
    assert call("dump", at=3)["changed"] is True
    assert call("dump", at=3) == {
        "machine": MACHINE,
        "running": True,
        "count": 2,
        "changed": False,
        "last_snapshot": 7,
        "next_due": 8,
        "reason": "that snapshot exists already",
    }
    assert stack.taken() == [3, 7]
    assert stack.entries(3) == stack.state_at(3)


def test_a_policy_is_set_answered_and_cleared(stack: Stack) -> None:
    common = {"machine": MACHINE, "running": True, "count": 2, "last_snapshot": None, "next_due": 8}
    policy = {"quiet": 30, "quiet_most": 600, "minutes": 60, "bytes": 10_000_000}
    given = {"quiet": 30, "minutes": 60, "bytes": 10_000_000}
    assert call("set_policy", **given) == {**common, "changed": True, "policy": policy}
    assert call("set_policy", **given) == {**common, "changed": False, "policy": policy}
    assert call("status") == {**common, "changed": False, "policy": policy}
    assert call("set_policy", quiet=None, bytes=None)["policy"] == {"minutes": 60}
    refused = call("set_policy", minutes=0)
    assert refused.pop("reason").startswith("minutes must be a whole number")
    assert refused == {**common, "changed": False, "policy": {"minutes": 60}}
    assert call("set_policy", minutes=None) == {**common, "changed": True}
    assert call("set_policy")["reason"].startswith("nothing is given")


def test_fields_that_are_null_are_as_if_they_were_left_out(stack: Stack) -> None:
    assert call("dump", at=None, count=None)["last_snapshot"] == 7
    assert call("status", at=None, count=None)["running"] is True


WRONG: list[tuple[Any, str]] = [
    ({}, "the field 'machine'"),
    ({"command": "status"}, "the field 'machine'"),
    ({"machine": "", "command": "status"}, "the field 'machine'"),
    ({"machine": None, "command": "status"}, "the field 'machine'"),
    ({"machine": 5, "command": "status"}, "the field 'machine'"),
    ({"machine": [MACHINE], "command": "status"}, "the field 'machine'"),
    ({"machine": MACHINE}, "unknown command None .*one of start, stop, set_count, set_policy"),
    ({"machine": MACHINE, "command": "set_count", "count": 5, "quiet": 5}, "belongs to set_policy"),
    ({"machine": MACHINE, "command": "set_policy", "count": 5}, "'count' belongs to set_count"),
    ({"machine": MACHINE, "command": "set_policy", "days": 5}, "unknown field 'days'"),
    ({"machine": "nobody", "command": "set_policy", "quiet": 5}, "no machine 'nobody'"),
    ({"machine": MACHINE, "command": "Start"}, "unknown command 'Start'"),
    ({"machine": MACHINE, "command": ["start"]}, "unknown command"),
    ({"machine": MACHINE, "command": {}}, "unknown command"),
    ({"machine": MACHINE, "command": "status", "x": 1}, "unknown field 'x'"),
    ({"machine": MACHINE, "command": "set_count"}, "the field 'count' is missing"),
    ({"machine": MACHINE, "command": "start", "count": 5}, "'count' belongs to set_count"),
    ({"machine": MACHINE, "command": "dump", "count": 5}, "'count' belongs to set_count"),
    ({"machine": MACHINE, "command": "status", "at": 5}, "'at' belongs to dump"),
    ({"machine": MACHINE, "command": "set_count", "count": 5, "at": 5}, "'at' belongs to dump"),
    ({"machine": MACHINE, "command": "dump", "at": "5"}, "'at' is a block number, not '5'"),
    ({"machine": MACHINE, "command": "dump", "at": 5.0}, "'at' is a block number, not 5.0"),
    ({"machine": MACHINE, "command": "dump", "at": True}, "'at' is a block number, not True"),
    ({"machine": MACHINE, "command": "dump", "at": 0}, "no block 0 .*1 to 7"),
    ({"machine": MACHINE, "command": "dump", "at": 8}, "no block 8 .*1 to 7"),
    ({"machine": MACHINE, "command": "dump", "at": -1}, "no block -1"),
    ({"machine": MACHINE, "command": "dump", "at": 10**40}, "no block 1000000"),
    ({"machine": "nobody", "command": "status"}, "no machine 'nobody'"),
    ({"machine": "nobody", "command": "set_count", "count": 5}, "no machine 'nobody'"),
    ({"machine": "nobody", "command": "dump"}, "no machine 'nobody'"),
    ({"sweep": "yes"}, "the field 'machine'"),
    ({"sweep": False}, "the field 'machine'"),
    ([], "a call is a JSON object"),
    (["detail-type"], "a call is a JSON object"),
    ("status", "a call is a JSON object"),
    (None, "a call is a JSON object"),
    (5, "a call is a JSON object"),
]


@pytest.mark.parametrize(("payload", "what"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_payload_is_an_error_that_says_so_and_changes_nothing(
    stack: Stack, payload: Any, what: str
) -> None:
    before = stack.contents()
    with pytest.raises(BlockfoldError, match=what):
        handle(payload)
    assert stack.contents() == before
