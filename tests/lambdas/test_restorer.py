"""The restore λ: what it is asked, what it answers, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blockfold.application import catch_up
from blockfold.application.restore import Target
from blockfold.domain.errors import BlockfoldError
from blockfold.domain.schedule import Schedule
from tests.lambdas.conftest import Event, LambdaContext
from tests.lambdas.handlers import imported, metrics_in
from tests.properties.histories import MACHINE, NEVER
from tests.snapshots.stack import Stack

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

module = imported("restorer")

LONG = LambdaContext(900_000)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Seven blocks, at milliseconds 1 … 7 after 2023-11-14T22:13:20Z; a snapshot of block 4."""
    stack = Stack(schedule=Schedule.new(2))
    stack.grow(7)
    stack.dumper().dump(MACHINE, 4)
    monkeypatch.setattr(module, "_restorer", stack.restorer)
    return stack


def handle(event: Any, context: LambdaContext = LONG) -> Event:
    answer: Event = module.handler(event, context)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def test_a_restore_in_place(stack: Stack) -> None:
    answer = handle({"machine": MACHINE, "block": 3})
    block = stack.blocks()[-1]
    written, deleted = answer.pop("written"), answer.pop("deleted")
    assert answer == {
        "machine": MACHINE,
        "source": MACHINE,
        "restored": 3,
        "number": 8,
        "hash": block.hash,
        "digest": stack.blocks()[2].header.digest,
        "snapshot": f"machines/m/pinned/000000000003-{stack.blocks()[2].hash[:16]}.json",
        "rows": len(stack.state_at(3)),
        "done": True,
        "share": 1.0,
    }
    rows = [row for row in stack.table.scan(MACHINE) if row.block == 8]
    assert written == sum(row.value is not None for row in rows) > 0
    assert deleted == sum(row.value is None for row in rows) > 0
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()


def test_a_fork(stack: Stack) -> None:
    answer = handle({"machine": MACHINE, "snapshot": 4, "as": "copy"})
    assert (answer["machine"], answer["source"]) == ("copy", MACHINE)
    assert (answer["restored"], answer["number"]) == (4, 1)
    assert answer["hash"] == stack.blocks("copy")[0].hash
    assert (answer["written"], answer["deleted"]) == (len(stack.state_at(4)), 0)
    assert stack.stored("copy") == stack.state_at(4)
    assert stack.head() == 7


def test_metrics_count_restores(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    handle({"machine": MACHINE, "block": 3})
    handle({"machine": MACHINE, "block": 4, "as": "copy"})
    assert metrics_in(capsys.readouterr().out) == {"Restores": 2}


@pytest.mark.parametrize("fork", [None, "copy"])
def test_a_dry_run_answers_what_will_be_done_and_does_nothing(
    stack: Stack, fork: str | None
) -> None:
    event = {"machine": MACHINE, "block": 3, "as": fork}
    before = stack.contents()
    planned = handle({**event, "dry_run": True})
    assert stack.contents() == before
    done = handle({**event, "dry_run": False})
    assert planned.pop("dry_run") is True
    assert planned["rows"] == len(stack.state_at(3))
    assert planned.pop("snapshot") is False
    assert planned.pop("hash") is None
    assert (planned.pop("base"), planned.pop("folded")) == (None, 3)
    estimate = planned.pop("estimate")
    assert (estimate["writes"], estimate["deletes"]) == (done["written"], done["deleted"])
    assert estimate["exact"] is True
    assert planned == {key: done[key] for key in planned}
    assert done.keys() - planned.keys() == {"hash", "snapshot", "done", "share"}


@pytest.mark.parametrize(
    ("time", "restored"),
    [
        ("2023-11-14T22:13:20.001Z", 1),
        ("2023-11-14T22:13:20.003Z", 3),
        ("2023-11-14T22:13:20.003999Z", 3),  # never a block that came later
        ("2023-11-14T22:13:20.004000Z", 4),
        ("2023-11-14T23:13:20.004+01:00", 4),
        ("2023-11-14t22:13:20.005z", 5),
        ("2023-11-14 22:13:20.005Z", 5),
        ("2030-01-01T00:00:00Z", 7),
        ("9999-12-31T23:59:59-23:59", 7),
    ],
)
def test_by_time(stack: Stack, time: str, restored: int) -> None:
    assert handle({"machine": MACHINE, "time": time, "dry_run": True})["restored"] == restored


def out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No restore gets to compare more than two keys in an invocation; the clock stands still."""
    monkeypatch.setattr(module, "MARGIN_SECONDS", 100_000.0)
    monkeypatch.setattr(catch_up, "CHUNK", 2)
    monkeypatch.setattr(catch_up, "LOOK", 2)


def test_when_time_runs_out_the_answer_says_how_far_it_is_and_how_to_go_on(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        out_of_time(patch)
        answer = handle({"machine": MACHINE, "block": 3}, LambdaContext(20_000))
    assert (answer["number"], answer["done"], answer["share"]) == (8, False, 0.0)
    assert stack.stored() != stack.state_at(3)
    after = handle(answer["next"])
    assert (after["number"], after["restored"], after["done"]) == (8, 3, True)
    assert stack.stored() == stack.state_at(3)
    stack.assert_whole()


def test_going_on_where_nothing_is_left_is_an_error(stack: Stack) -> None:
    before = stack.contents()
    with pytest.raises(BlockfoldError, match="no restore of machine 'm' is under way"):
        handle({"machine": MACHINE, "resume": True})
    assert stack.contents() == before


def test_a_large_restore_is_only_begun_if_the_caller_has_a_workflow(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGE_SECONDS", -1.0)
    begun = handle({"machine": MACHINE, "block": 3, "begin_large": True})
    assert (begun["number"], begun["done"]) == (8, False)
    assert stack.stored() == stack.state_at(7)
    assert handle(begun["next"])["done"] is True
    assert handle({"machine": MACHINE, "block": 5})["done"] is True
    stack.assert_whole()


def test_the_steps_of_the_workflow(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two are late once; each answer is what the step is called with again."""
    stack.lag({"do": "set", "key": "late", "value": 1})
    stack.lag({"do": "set", "key": "later", "value": 1})
    target = Target(MACHINE, block=3)
    stack.restorer().carry_out(target, deadline=NEVER, begin_only=True)
    with monkeypatch.context() as patch:
        out_of_time(patch)
        late = handle({"machine": MACHINE, "step": "split"})
    assert (late["done"], late["ranges"]) == (False, [])
    split = handle({"machine": MACHINE, "step": "split"})
    assert split["done"] is True
    assert [each["number"] for each in split["ranges"]] == [10] * len(split["ranges"])
    assert len(split["ranges"]) > 1
    for each in reversed(split["ranges"]):
        with monkeypatch.context() as patch:
            out_of_time(patch)
            again = handle(each)
        while not again["done"]:
            again = handle(again)
    assert stack.stored() == stack.state_at(3)
    assert handle({"machine": MACHINE, "step": "finish"})["done"] is True
    stack.assert_whole()
    assert handle({"machine": MACHINE, "step": "finish"})["done"] is True
    assert handle({"machine": MACHINE, "step": "split"})["ranges"] == []
    assert all(handle(each)["done"] for each in split["ranges"])


WRONG: list[tuple[Any, str]] = [
    ({}, "the field 'machine'"),
    ({"block": 1}, "the field 'machine'"),
    ({"machine": "", "block": 1}, "the field 'machine'"),
    ({"machine": 5, "block": 1}, "the field 'machine'"),
    ({"machine": [MACHINE], "block": 1}, "the field 'machine'"),
    ({"machine": MACHINE}, "exactly one of block, snapshot and time"),
    ({"machine": MACHINE, "block": None}, "exactly one of block, snapshot and time"),
    ({"machine": MACHINE, "block": 1, "snapshot": 4}, "exactly one of block, snapshot and time"),
    ({"machine": MACHINE, "block": 1, "time": "2030-01-01T00:00:00Z"}, "exactly one of"),
    ({"machine": MACHINE, "block": "1"}, "'block' is a block number, not '1'"),
    ({"machine": MACHINE, "block": 1.0}, "'block' is a block number, not 1.0"),
    ({"machine": MACHINE, "block": True}, "'block' is a block number, not True"),
    ({"machine": MACHINE, "block": [1]}, "'block' is a block number"),
    ({"machine": MACHINE, "snapshot": "x"}, "'snapshot' is a block number, not 'x'"),
    ({"machine": MACHINE, "block": 0}, "no block 0 .*1 to 7"),
    ({"machine": MACHINE, "block": 8}, "no block 8 .*1 to 7"),
    ({"machine": MACHINE, "block": -1}, "no block -1"),
    ({"machine": MACHINE, "block": 10**40}, "no block 100000"),
    ({"machine": MACHINE, "snapshot": 5}, "no snapshot of block 5 .*restore block 5 instead"),
    ({"machine": MACHINE, "time": "yesterday"}, "no RFC 3339 time: 'yesterday' .*2026-01-31T"),
    ({"machine": MACHINE, "time": "2023-11-14T22:13:20"}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": "2023-11-14"}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": 1_700_000_000}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": True}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": {}}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": "2023-02-30T00:00:00Z"}, "no RFC 3339 time"),
    ({"machine": MACHINE, "time": "2023-11-14T22:13:20Z"}, "no blocks at that time"),
    ({"machine": MACHINE, "time": "0001-01-01T00:00:00+23:59"}, "no blocks at that time"),
    ({"machine": "nobody", "block": 1}, "'nobody' has no blocks"),
    ({"machine": MACHINE, "block": 1, "as": MACHINE}, "exists already .*another id"),
    ({"machine": MACHINE, "block": 1, "as": ""}, "'' cannot be a machine id"),
    ({"machine": MACHINE, "block": 1, "as": "a b"}, "'a b' cannot be a machine id"),
    ({"machine": MACHINE, "block": 1, "as": "é"}, "cannot be a machine id"),
    ({"machine": MACHINE, "block": 1, "as": "x" * 129}, "1 to 128 letters"),
    ({"machine": MACHINE, "block": 1, "as": 5}, "the field 'as' is a machine id, not 5"),
    ({"machine": MACHINE, "block": 1, "dry_run": "yes"}, "'dry_run' is true or false"),
    ({"machine": MACHINE, "block": 1, "dry_run": 1}, "'dry_run' is true or false"),
    ({"machine": MACHINE, "block": 1, "dry_run": None}, "'dry_run' is true or false"),
    ({"machine": MACHINE, "number": 1}, "unknown field 'number' .*as, begin_large, block, dry_run"),
    ({"machine": MACHINE, "block": 1, "begin_large": 1}, "'begin_large' is true or false"),
    ({"machine": MACHINE, "import": 5}, "'import' is an object key, not 5"),
    ({"machine": MACHINE, "import": "x", "block": 1}, "exactly one of"),
    ({"machine": MACHINE, "import": "x"}, "the snapshot x is missing"),
    ({"machine": "a b", "import": "x"}, "'a b' cannot be a machine id"),
    ({"machine": MACHINE, "block": 1, "dryrun": True}, "unknown field 'dryrun'"),
    ([], "a restore is a JSON object"),
    (["machine"], "a restore is a JSON object"),
    ("m", "a restore is a JSON object"),
    (None, "a restore is a JSON object"),
    (5, "a restore is a JSON object"),
]


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(("payload", "what"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_payload_is_an_error_that_says_so_and_changes_nothing(
    stack: Stack, payload: Any, what: str, dry: bool
) -> None:
    if dry and isinstance(payload, dict):
        payload = {"dry_run": True, **payload}
    before = stack.contents()
    with pytest.raises(BlockfoldError, match=what):
        handle(payload)
    assert stack.contents() == before
