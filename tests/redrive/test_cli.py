"""The command on a queue in memory: what it shows, answers and refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blockfold.cli import redrive as cli
from blockfold.cli import steps
from blockfold.cli.app import app
from blockfold.domain.errors import Misconfigured, NotFound, Unavailable
from tests.faults import Faults, fail
from tests.properties.histories import MACHINE
from tests.redrive.world import Mail


@dataclass
class Bench:
    """The command line on a `Mail`.

    Attributes:
        faults: What strikes the command.
    """

    mail: Mail = field(default_factory=Mail)
    faults: Faults = field(default_factory=Faults)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["redrive", *arguments], env={"COLUMNS": "160"})

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == code, (done.stderr, done.exception)
        return json.loads(done.stdout)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()

    def connect(_name: str | None = None) -> Any:
        return SimpleNamespace(redriver=bench.mail.redriver(bench.faults))

    monkeypatch.setattr(cli, "connect", connect)
    monkeypatch.setattr(steps, "SECONDS", 0.0)
    return bench


def fill(mail: Mail) -> None:
    """A letter of each kind."""
    mail.send("", 2)
    mail.deliver(heard=False)
    mail.lose()
    mail.send("", 5)
    mail.split(2)
    mail.lose()
    mail.send("p", 3)
    mail.lose()


def test_a_dry_run_shows_each_message_and_changes_nothing(bench: Bench) -> None:
    fill(bench.mail)
    done = bench.run("--dry-run")
    assert done.exit_code == 0
    shown = [" ".join(line.split()) for line in done.stdout.splitlines()[1:]]
    assert shown[0].endswith(" 2 2 in 1 remove")
    assert shown[1].endswith(" 5 2 in 2 send the rest")
    assert shown[2].endswith(" 3 0 send")
    assert "p/1" in done.stdout
    assert "to remove, in blocks: 1 message\n" in done.stderr
    assert "to send again: 6 actions of 2 messages" in done.stderr
    assert len(bench.mail.letters.letters) == 3
    assert bench.mail.waiting == []
    assert len(bench.mail.letters.receive(60)) == 3, "they are let go"


def test_it_answers_what_became_of_each(bench: Bench) -> None:
    fill(bench.mail)
    answer = bench.json()
    assert answer["dry_run"] is False
    found = answer["messages"]
    assert [(each["standing"], each["actions"], each["in_blocks"]) for each in found] == [
        ("done", 2, 2),
        ("partly done", 5, 2),
        ("not begun", 3, 0),
    ]
    assert [each["messages"] for each in found] == [0, 3, 1]
    assert [(each["first_block"], each["last_block"]) for each in found] == [
        (1, 1),
        (2, 2),
        (None, None),
    ]
    assert [(each["producer"], each["count"]) for each in found[1:]] == [(None, None), ("p", 1)]
    assert found[0]["machine"] == MACHINE
    assert found[0]["sent"].endswith("Z")
    assert found[0]["left"] is None
    assert bench.json() == {"dry_run": False, "messages": []}
    bench.mail.drain()
    bench.mail.assert_exactly_once()


def test_it_says_what_it_did_and_that_the_order_is_broken(bench: Bench) -> None:
    fill(bench.mail)
    done = bench.run()
    assert done.exit_code == 0
    assert "sent the rest" in done.stdout
    assert "removed, in blocks: 1 message\n" in done.stderr
    assert "sent again: 6 actions of 2 messages" in done.stderr
    assert "behind what came later" in done.stderr
    assert "name you as their sender" in done.stderr


def test_an_empty_queue_is_a_friendly_line(bench: Bench) -> None:
    done = bench.run()
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing was given up" in done.stderr


def test_its_progress_is_told_as_json_lines(bench: Bench) -> None:
    fill(bench.mail)
    done = bench.run("--json")
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {each["done"] for each in told} == {"blocks", "messages", "letters"}


def test_a_limit_and_a_machine(bench: Bench) -> None:
    fill(bench.mail)
    bench.mail.send("", 1, "other")
    bench.mail.lose()
    found = bench.json("--limit", "1")["messages"]
    assert [each["standing"] for each in found] == ["done"]
    found = bench.json("--machine", "other")["messages"]
    assert [each["machine"] for each in found] == ["other"]
    assert len(bench.mail.letters.letters) == 2


def test_more_may_hide_behind_the_ten_that_are_shown(bench: Bench) -> None:
    for _ in range(11):
        bench.mail.send()
        bench.mail.lose()
    done = bench.run("--dry-run")
    assert "there may be more behind them" in done.stderr
    assert "there may be more" not in bench.run().stderr


def test_a_machine_of_which_nothing_was_given_up_is_not_found(bench: Bench) -> None:
    fill(bench.mail)
    done = bench.run("--machine", "nobody")
    assert isinstance(done.exception, NotFound)
    assert "'nobody'" in str(done.exception)
    assert isinstance(bench.run("--machine", "no body").exception, Misconfigured)


def test_what_is_left_is_named_with_its_reason(bench: Bench) -> None:
    fill(bench.mail)
    bench.mail.world.lose_block(1)
    found = bench.json(code=1)["messages"]
    assert all(each["left"] for each in found)
    assert found[0]["standing"] is None
    bench.mail.wait()
    done = bench.run()
    assert done.exit_code == 1
    assert "is left: the log of machine" in done.stderr
    assert bench.run("--dry-run").exit_code == 0


def test_trouble_says_that_running_it_again_is_safe(bench: Bench) -> None:
    fill(bench.mail)
    bench.faults = Faults([1], "before", fail)
    error = bench.run().exception
    assert isinstance(error, Unavailable)
    assert "run it again" in error.hint


def test_an_interruption_says_how_to_go_on(bench: Bench) -> None:
    fill(bench.mail)

    def interrupt() -> None:
        raise KeyboardInterrupt

    bench.faults = Faults([4], "before", interrupt)
    done = bench.run()
    assert done.exit_code == 130
    assert "blockfold redrive" in done.stderr
    assert len(bench.mail.letters.receive(60)) > 0, "they are let go"
