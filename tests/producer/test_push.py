"""``blockfold push``: safe to be disturbed, and it says how far it came."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blockfold.cli import push as command
from blockfold.cli.app import app
from blockfold.domain.errors import AccessDenied, BlockfoldError, LimitExceeded, Unavailable
from blockfold.producer import Producer
from tests.producer.supply import DENIED, FINE, LOST, PART_LOST, THROTTLED, once
from tests.producer.test_waiting import Works

LINES = "".join(
    json.dumps({"type": "run", "args": {"steps": [], "end": end}}) + "\n"
    for end in ("apply", "reject", "apply", "nonsense", "crash")
)


@dataclass
class Target:
    """A stack whose blocks are made when somebody waits."""

    works: Works

    def producer(self, *, track: bool, **options: Any) -> Producer:
        log: Any = self.works.log if track else None
        producer = Producer(self.works.supply.queue, log=log, linger=60.0, **options)
        if track:
            waits = producer.find

            def find(*args: Any) -> Any:
                self.works.execute()
                return waits(*args)

            producer.find = find  # type: ignore[method-assign]
        return producer


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    works = Works()
    monkeypatch.setattr(command, "connect", lambda _stack: Target(works))
    return works


def run(*arguments: str, lines: str = LINES) -> Result:
    return CliRunner().invoke(app, ["push", "m", *arguments], input=lines)


def test_outcomes_are_counted(works: Works) -> None:
    done = run("--wait", "--per-message", "2")
    assert done.exit_code == 0, done.output
    assert done.stderr == (
        "sent 5 actions in 3 messages; machine m stands at block 3: "
        "2 applied, 1 rejected, 1 failed, 1 malformed\n"
    )
    done = run("--wait", "--json")
    answer = json.loads(done.stdout)
    assert answer["outcomes"] == {"applied": 2, "rejected": 1, "failed": 1, "malformed": 1}
    (*_, last) = works.supply.cloud.actions.accepted
    assert (answer["actions"], answer["messages"], answer["number"]) == (5, 1, 4)
    assert (answer["last_message"], answer["last_sequence"]) == (last.id, last.sequence)


@pytest.mark.parametrize("fault", [THROTTLED, LOST, PART_LOST])
def test_trouble_that_passes_changes_nothing(works: Works, fault: int) -> None:
    works.supply.foresee(fault, fault)
    done = run("--per-message", "2")
    assert done.exit_code == 0
    assert done.stderr == "sent 5 actions in 3 messages\n"
    assert len(once(works.supply.machines["m"])) == 5
    assert len(works.supply.messages) == 3


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (DENIED, AccessDenied, "sqs:SendMessage.*; look whether line 3 and"),
        (THROTTLED, Unavailable, "^look whether line 3 and"),
    ],
)
def test_trouble_that_stays_says_how_far_it_came(
    works: Works, fault: int, error: type[BlockfoldError], said: str
) -> None:
    works.supply.foresee(FINE, always=fault)
    done = run("--per-message", "2", "--timeout", "1")
    assert isinstance(done.exception, error)
    assert "2 actions of 5 were sent" in done.exception.message
    assert re.search(said, done.exception.hint)


def test_no_line_is_sent_if_one_is_too_large(works: Works) -> None:
    large = json.dumps({"type": "run", "args": {"text": "x" * 5_000_000}})
    done = run(lines=f"{LINES}{large}\n")
    assert isinstance(done.exception, LimitExceeded)
    assert done.exception.message.startswith("line 6: the action 'run' has 5,0")
    assert works.supply.messages == []
